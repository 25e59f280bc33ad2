"""Label Studio under its other names: the image comes with the token, which goes to one place only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.errors import ImageRefusedError
from ml_backend.label_studio import own_addresses
from ml_backend.label_studio.addresses import split_address
from ml_backend.label_studio.images import ImageSource
from ml_backend.label_studio.own_addresses import SERVED, OwnAddresses
from ml_backend.label_studio.session import Session
from tests.ml_backend.label_studio.local_server import Answer, as_json, redirect

PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)
IMAGE = Answer(200, PNG, {"Content-Type": "image/png"})
UPLOAD = "/data/upload/1/card.png"
PUBLIC = "https://labels.example.com"


def only_with_token(request):
    """Answer as Label Studio does."""
    return IMAGE if request.headers.get("authorization") == "Token legacy-token" else as_json({}, 401)


def tell(server, address):
    """Let Label Studio have this LABEL_STUDIO_HOST."""
    server.routes["GET /api/projects/"] = as_json({"count": 1, "results": [{"id": 7}]})
    sample = {"sample_task": {"image": f"{address}/static/samples/sample.jpg"}}
    server.routes["POST /api/projects/7/sample-task/"] = as_json(sample)


@pytest.fixture
def source(session, server):
    server.routes[UPLOAD] = only_with_token
    return ImageSource(session, timeout=5)


# Loopback


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "localhost.", "[::1]", "127.0.0.1"])
def test_all_names_of_the_loopback_are_one_host(server, source, name):
    assert source.fetch(f"http://{name}:{server.port}{UPLOAD}") == PNG
    assert [request.headers["host"] for request in server.requests] == [server.host]


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]"])
def test_another_port_or_scheme_of_this_machine_is_not_label_studio(server, other, source, name):
    other.routes[UPLOAD] = IMAGE
    for address in (f"http://{name}:{other.port}", f"https://{name}:{server.port}", f"http://{name}"):
        with pytest.raises(ImageRefusedError):
            source.fetch(address + UPLOAD)
    assert other.requests == []
    assert UPLOAD not in server.paths()


def test_the_api_is_no_image_under_another_name_either(server, source):
    for path in ("/api/projects", "/data/upload/../../api/projects", "/data/upload/%2e%2e/%2e%2e/api/projects"):
        with pytest.raises(ImageRefusedError):
            source.fetch(f"http://localhost:{server.port}{path}")
    assert server.requests == []


# The setting


@pytest.mark.parametrize("public", [PUBLIC, PUBLIC + "/", PUBLIC.upper() + ":443"])
def test_a_public_address_is_requested_where_the_backend_reaches_it(server, session, public):
    server.routes[UPLOAD] = only_with_token
    source = ImageSource(session, public_urls=["http://old.example.com:8080", public], timeout=5)

    assert source.fetch(PUBLIC + UPLOAD) == PNG
    assert source.fetch(f"http://old.example.com:8080{UPLOAD}") == PNG
    assert server.paths() == [UPLOAD] * 2


@pytest.mark.parametrize(
    ("own", "public"), [("", "/ls"), ("/ls", "/ls"), ("/ls", ""), ("/inner", "/outer"), ("/a/b", "/c/d")]
)
def test_each_address_has_its_own_prefix(server, own, public):
    server.routes[own + UPLOAD] = only_with_token
    source = ImageSource(Session(server.url + own, "legacy-token"), public_urls=[PUBLIC + public], timeout=5)

    assert source.fetch(PUBLIC + public + UPLOAD) == PNG
    if public:
        for elsewhere in ("", "/other", public + "2"):
            with pytest.raises(ImageRefusedError):
                source.fetch(PUBLIC + elsewhere + UPLOAD)


def test_a_local_file_is_read_from_its_folder_under_any_name(session, tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    source = ImageSource(session, public_urls=[PUBLIC], local_files_root=tmp_path)

    assert source.fetch(PUBLIC + "/data/local-files/?d=a.png") == PNG


def test_a_redirect_to_the_public_address_is_followed_at_the_backends_own(server, session):
    server.routes[UPLOAD] = only_with_token
    server.routes["/tasks/1/resolve/"] = redirect(PUBLIC + UPLOAD)

    assert ImageSource(session, public_urls=[PUBLIC], timeout=5).fetch("/tasks/1/resolve/?fileuri=a") == PNG
    assert server.paths() == ["/tasks/1/resolve/", UPLOAD]


def test_what_else_lives_at_the_public_address_is_requested_without_the_token(server, session, other):
    server.routes[UPLOAD] = only_with_token
    other.routes["/crm/a.png"] = IMAGE
    source = ImageSource(session, public_urls=[other.url], allowed_hosts=frozenset({other.host}), timeout=5)

    assert source.fetch(other.url + UPLOAD) == PNG
    assert source.fetch(f"{other.url}/crm/a.png") == PNG
    assert other.paths() == ["/crm/a.png"]
    assert "authorization" not in other.requests[0].headers


# What Label Studio tells


@pytest.mark.parametrize("listed", [False, True], ids=["", "in ALLOWED_HOSTS"])
def test_the_public_address_that_label_studio_tells_is_recognised(server, session, listed):
    server.routes[UPLOAD] = only_with_token
    tell(server, PUBLIC + "/ls")
    hosts = frozenset({"labels.example.com"} if listed else ())
    source = ImageSource(session, allowed_hosts=hosts, timeout=5)

    assert source.fetch(PUBLIC + "/ls" + UPLOAD) == PNG
    assert source.fetch(PUBLIC + "/ls" + UPLOAD) == PNG
    assert server.paths() == ["/api/projects/", "/api/projects/7/sample-task/", UPLOAD, UPLOAD]


@pytest.mark.parametrize(
    "sample",
    [
        {"sample_task": {"image": "/static/samples/sample.jpg"}},
        {"sample_task": {"image": f"ftp://labels.example.com{UPLOAD}"}},
        {"sample_task": {"image": [f"{PUBLIC}/static/samples/sample.jpg"]}},
        {"sample_task": None},
        [],
        None,
    ],
)
def test_an_answer_that_tells_no_address_is_none(server, source, sample):
    tell(server, "")
    server.routes["POST /api/projects/7/sample-task/"] = as_json(sample)

    with pytest.raises(ImageRefusedError, match="LABEL_STUDIO_PUBLIC_URL"):
        source.fetch(PUBLIC + UPLOAD)


def test_a_strange_address_is_not_looked_up_each_time(server, source, monkeypatch):
    for _ in range(5):
        with pytest.raises(ImageRefusedError):
            source.fetch("https://elsewhere.example" + UPLOAD)
        with pytest.raises(ImageRefusedError, match="ALLOWED_HOSTS"):
            source.fetch("https://elsewhere.example/a.png")
    assert server.paths() == ["/api/projects/"]

    now = own_addresses.time.monotonic()
    monkeypatch.setattr(own_addresses.time, "monotonic", lambda: now + 61)
    tell(server, PUBLIC)
    assert source.fetch(PUBLIC + UPLOAD) == PNG


def test_a_host_that_label_studio_does_not_name_gets_no_token(server, source, other, session):
    tell(server, PUBLIC)
    other.routes[UPLOAD] = IMAGE
    with pytest.raises(ImageRefusedError):
        source.fetch(other.url + UPLOAD)
    allowing = ImageSource(session, allowed_hosts=frozenset({other.host}), timeout=5)

    assert allowing.fetch(other.url + UPLOAD) == PNG
    assert "authorization" not in other.requests[0].headers


_HOSTS = st.sampled_from(
    ["localhost", "127.0.0.1", "[::1]", "labels.example.com", "evil.example", "127.0.0.1.evil.example"]
)
_ADDRESSES = st.builds(
    lambda scheme, host, port, path: f"{scheme}://{host}{port}{path}",
    st.sampled_from(["http", "https", "HTTP"]),
    _HOSTS,
    st.sampled_from(["", ":80", ":443", ":8080", ":8081"]),
    st.sampled_from(
        ["/", "/data/upload/1/a.png", "//evil.example/data/upload/a", "/ls/data/upload/a", "/ls/../static/a"]
    ),
)


@given(_ADDRESSES)
def test_whatever_is_recognised_leads_to_the_backends_own_address(url):
    own = OwnAddresses("http://127.0.0.1:8080/in/", ["https://labels.example.com/ls"])
    parts = split_address(url)
    found = own.rewritten(parts)
    names = {"http": {"localhost:8080", "127.0.0.1:8080", "[::1]:8080"}, "https": {"labels.example.com"}}

    if found is not None:
        assert (found.scheme, found.netloc) == ("http", "127.0.0.1:8080")
        assert parts.netloc.removesuffix(":443") in names[parts.scheme]
        assert own.is_base(split_address(found.geturl()))
    elif parts.netloc in names[parts.scheme]:
        assert not SERVED.match(parts.path.removeprefix("/ls/"))
