"""Documents that look alike fall into one group."""

import numpy as np

from active_learning.clusters import MOST_CLUSTERS, find_centroids, nearest


def rng(seed=0):
    return np.random.default_rng(seed)


def kinds(count, of_each, *, hidden=16, noise=0.02):
    """Embeddings of ``count`` kinds of documents, kind after kind."""
    middles = np.linalg.qr(rng(1).normal(size=(hidden, hidden)))[0][:count]
    return np.repeat(middles, of_each, axis=0) + rng(2).normal(scale=noise, size=(count * of_each, hidden))


def test_documents_of_one_kind_share_a_group_and_those_of_others_do_not():
    embeddings = kinds(4, 8)
    centroids = find_centroids(embeddings, rng())
    groups = np.array([nearest(embedding, centroids) for embedding in embeddings]).reshape(4, 8)
    assert len(centroids) == 4
    assert all(len(set(row)) == 1 for row in groups)
    assert len(set(groups[:, 0])) == 4


def test_length_does_not_matter():
    embeddings = kinds(3, 6)
    centroids = find_centroids(embeddings, rng())
    assert [nearest(7 * row, centroids) for row in embeddings] == [nearest(row, centroids) for row in embeddings]


def test_there_are_never_more_groups_than_asked_for():
    assert len(find_centroids(rng().normal(size=(2000, 8)), rng())) == MOST_CLUSTERS
    assert len(find_centroids(rng().normal(size=(200, 8)), rng(), most=3)) == 3


def test_equal_documents_are_one_group():
    assert len(find_centroids(np.ones((50, 4)), rng())) == 1


def test_the_same_chance_gives_the_same_groups():
    embeddings = rng().normal(size=(100, 8))
    assert find_centroids(embeddings, rng(5)) == find_centroids(embeddings, rng(5))


def test_empty_pages_belong_to_no_group():
    centroids = find_centroids([np.zeros(4), np.ones(4)], rng())
    assert len(centroids) == 1
    assert nearest(np.zeros(4), centroids) is None


def test_without_documents_there_are_no_groups():
    assert find_centroids([], rng()) == ()
    assert nearest(np.ones(4), ()) is None
