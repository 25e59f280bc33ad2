"""Where images are fetched from, and where not."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml_backend.errors import BackendError, ImageFetchError, ImageRefusedError, TokenRefusedError
from ml_backend.label_studio import download
from ml_backend.label_studio.download import is_public
from ml_backend.label_studio.images import ImageSource
from ml_backend.label_studio.session import Session
from tests.ml_backend.label_studio.local_server import Answer, as_json, redirect

PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)
IMAGE = Answer(200, PNG, {"Content-Type": "image/png"})


@pytest.fixture
def source(session):
    return ImageSource(session, max_bytes=10_000, timeout=5)


def allowing(session, *hosts, **more):
    return ImageSource(session, allowed_hosts=frozenset(hosts), **{"max_bytes": 10_000, "timeout": 5} | more)


# Label Studio's own


def test_an_upload_is_fetched_with_the_token(server, source):
    server.routes["/data/upload/1/card.png"] = IMAGE

    assert source.fetch("/data/upload/1/card.png") == PNG
    assert server.requests[0].headers["authorization"] == "Token legacy-token"


def test_an_upload_may_be_named_by_its_full_address(server, source):
    server.routes["/data/upload/1/card.png"] = IMAGE

    assert source.fetch(f"  {server.url}/data/upload/1/card.png#top ") == PNG
    assert source.fetch(f"HTTP://{server.host}/data/upload/1/card.png") == PNG


@pytest.mark.parametrize("address", ["/ls/data/upload/1/a.png", "/data/upload/1/a.png"])
def test_a_path_prefix_is_added_once(server, address):
    server.routes["/ls/data/upload/1/a.png"] = IMAGE
    source = ImageSource(Session(f"{server.url}/ls/", "legacy-token"))

    assert source.fetch(address) == PNG


def test_names_beyond_ascii_and_blanks_are_encoded(server, source):
    server.routes["/data/upload/1/%D0%B8%D0%BC%D1%8F%20%28a%29.png"] = IMAGE
    server.routes["/data/upload/1/%D0%B8%D0%BC%D1%8F%20(a).png"] = IMAGE

    assert source.fetch("/data/upload/1/имя (a).png") == PNG
    assert source.fetch("/data/upload/1/%D0%B8%D0%BC%D1%8F%20%28a%29.png") == PNG


@pytest.mark.parametrize(
    "address",
    [
        "/api/projects",
        "/api/projects/1/export?exportType=JSON",
        "/user/login",
        "/data/upload/../../api/projects",
        "/data/upload/%2e%2e/%2E%2e/api/projects",
        "/data/upload/%252e%252e/api/projects",
        "/data/upload/./1/a.png",
        "/data/uploads/1/a.png",
        "/tasks/1/delete/",
        "/tasks/x/resolve/?fileuri=a",
    ],
)
def test_the_token_is_not_spent_on_anything_but_images(server, source, address):
    for url in (address, server.url + address):
        with pytest.raises(ImageRefusedError):
            source.fetch(url)

    assert server.requests == []


def test_a_refused_access_token_is_exchanged_once_more(server, source):
    server.routes["/data/upload/1/a.png"] = lambda _: IMAGE if len(server.requests) == 2 else as_json({}, 401)

    assert source.fetch("/data/upload/1/a.png") == PNG


def test_a_refused_token_is_said_with_the_remedy(server, source):
    server.routes["/data/upload/1/a.png"] = as_json({"detail": "Invalid token."}, 401)

    with pytest.raises(TokenRefusedError, match="LABEL_STUDIO_API_KEY"):
        source.fetch("/data/upload/1/a.png")


@pytest.mark.parametrize(
    "page",
    [
        redirect("/user/login/?next=/data/upload/1/a.png"),
        Answer(200, b"<form>", {"Content-Type": "text/html; charset=utf-8"}),
        Answer(200, b"\n<!DOCTYPE html><title>Log in", {"Content-Type": "image/png"}),
    ],
    ids=["redirect", "page", "disguised page"],
)
def test_a_login_page_is_not_taken_for_an_image(server, source, page):
    server.routes["/data/upload/1/a.png"] = page

    with pytest.raises(TokenRefusedError):
        source.fetch("/data/upload/1/a.png")


@pytest.mark.parametrize(
    ("status", "words"), [(404, "deleted"), (500, "deleted"), (503, "503"), (206, "206"), (204, "204")]
)
def test_any_other_status_is_an_error(server, source, status, words):
    server.routes["/data/upload/1/a.png"] = Answer(status, b"" if status == 204 else b"x")

    with pytest.raises(ImageFetchError, match=words):
        source.fetch("/data/upload/1/a.png")


def test_a_user_without_the_right_to_a_local_file_hears_of_the_settings(server, source):
    server.routes["/data/local-files/"] = Answer(403, b"disabled")

    with pytest.raises(ImageFetchError, match="LOCAL_FILES_SERVING_ENABLED"):
        source.fetch("/data/local-files/?d=a.png")


def test_an_empty_file_is_an_error(server, source):
    server.routes["/data/upload/1/a.png"] = Answer(200, b"")

    with pytest.raises(ImageFetchError, match="empty"):
        source.fetch("/data/upload/1/a.png")


def test_without_label_studio_its_paths_lead_nowhere():
    with pytest.raises(ImageFetchError, match="LABEL_STUDIO_URL"):
        ImageSource(None).fetch("/data/upload/1/a.png")


# Limits


def test_a_file_above_the_limit_is_not_read(server, source):
    server.routes["/data/upload/1/a.png"] = Answer(200, b"x", announce=10_001)
    with pytest.raises(ImageFetchError, match="larger than 10,000"):
        source.fetch("/data/upload/1/a.png")


def test_a_file_that_does_not_say_its_size_is_read_up_to_the_limit(session, server):
    endless = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n" + b"x" * 50_000
    with raw_server(endless) as host, pytest.raises(ImageFetchError, match="larger"):
        allowing(session, host).fetch(f"http://{host}/a.png")


def test_a_file_of_exactly_the_limit_is_fine(server, source):
    server.routes["/data/upload/1/a.png"] = Answer(200, b"x" * 10_000)

    assert len(source.fetch("/data/upload/1/a.png")) == 10_000


def test_the_time_limit_is_for_all_of_it_not_for_each_wait(session, server):
    server.routes["/data/upload/1/a.png"] = Answer(200, b"x" * 100, pause=0.1, chunk=1)
    start = time.monotonic()

    with pytest.raises(ImageFetchError, match="too long"):
        ImageSource(session, timeout=0.5).fetch("/data/upload/1/a.png")

    assert time.monotonic() - start < 2


def test_headers_that_trickle_in_are_limited_too(session):
    with raw_server(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 500, pause=0.05) as host:
        start = time.monotonic()
        with pytest.raises(ImageFetchError, match="too long"):
            allowing(session, host, timeout=0.5).fetch(f"http://{host}/a.png")

    assert time.monotonic() - start < 2


def test_a_server_that_says_nothing_is_given_up(session):
    with raw_server(b"", pause=3) as host, pytest.raises(ImageFetchError, match="too long"):
        allowing(session, host, timeout=0.3).fetch(f"http://{host}/a.png")


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", b""]
)
def test_what_is_not_http_is_an_error(session, answer):
    with raw_server(answer) as host, pytest.raises(ImageFetchError, match="does not answer"):
        allowing(session, host).fetch(f"http://{host}/a.png")


def test_a_host_that_is_down_is_an_error(session):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        host = f"127.0.0.1:{closed.getsockname()[1]}"

    with pytest.raises(ImageFetchError, match="does not answer"):
        allowing(session, host).fetch(f"http://{host}/a.png")


def test_a_host_without_an_address_is_an_error(session):
    with pytest.raises(ImageFetchError, match="does not answer"):
        allowing(session, "no-such-host.invalid").fetch("http://no-such-host.invalid/a.png")


# Other hosts


def test_a_listed_host_is_asked_without_the_token(session, other):
    other.routes["/a.png"] = IMAGE

    assert allowing(session, other.host).fetch(f"{other.url}/a.png?size=2") == PNG
    assert "authorization" not in other.requests[0].headers
    assert other.requests[0].query == {"size": "2"}


def test_a_host_that_is_not_listed_is_not_asked(source, other):
    with pytest.raises(ImageRefusedError, match="ALLOWED_HOSTS"):
        source.fetch(f"{other.url}/a.png")

    assert other.requests == []


def test_a_name_without_a_port_is_for_the_usual_port_only(session, other):
    with pytest.raises(ImageRefusedError):
        allowing(session, "127.0.0.1").fetch(f"{other.url}/a.png")

    assert other.requests == []


def test_the_name_must_be_the_same_not_alike(session, server, other):
    source = allowing(session, other.host, "example.com")
    refused = [
        f"http://localhost:{other.port}/a.png",
        f"http://127.0.0.1.nip.io:{other.port}/a.png",
        f"http://{other.host}@evil.example/a.png",
        f"http://{server.host}%40evil.example/data/upload/1/a.png",
        f"http://user:word@{other.host}/a.png",
        f"http://evil.example\\@{other.host}/a.png",
        f"http://evil.example#@{other.host}/a.png",
        "http://example.com.evil.example/a.png",
        "http://notexample.com/a.png",
        "http://2130706433/a.png",
        "http://[::ffff:127.0.0.1]/a.png",
        "http://169.254.169.254/latest/meta-data/",
        "https://example.com:8443/a.png",
    ]
    for url in refused:
        with pytest.raises(ImageRefusedError):
            source.fetch(url)

    assert server.requests == []
    assert other.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "   ",
        "card.png",
        "./card.png",
        "file:///etc/passwd",
        "FILE:/etc/passwd",
        "ftp://example.com/a.png",
        "gopher://127.0.0.1:6379/_INFO",
        "//127.0.0.1/data/upload/1/a.png",
        "C:\\cards\\a.png",
        "http:///a.png",
        "http:a.png",
        "https://",
        "http://[::1/a.png",
        "http://host:99999/a.png",
        "/data/upload/1/a\n.png",
        "/etc/passwd",
        "javascript:alert(1)",
    ],
)
def test_nothing_else_is_an_address(server, source, url):
    with pytest.raises(ImageRefusedError):
        source.fetch(url)

    assert server.requests == []


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(),
    st.sampled_from(
        [
            "",
            "/",
            "//",
            "http://",
            "https://",
            "s3://",
            "data:image/png;base64,",
            "/data/upload/",
            "/data/local-files/?d=",
        ]
    ),
)
def test_whatever_a_task_says_is_an_error_at_worst(session, folder, text, start):
    source = ImageSource(session, local_files_root=folder, timeout=1)

    with contextlib.suppress(BackendError):
        assert not source.fetch(start + text, 1).startswith(b"secret")


def test_half_a_character_is_no_address(source):
    for url in ("/data/upload/\ud800.png", "s3://bucket/\ud800", "data:image/png;base64,\ud800"):
        with pytest.raises(ImageFetchError):
            source.fetch(url, 1)


def test_a_web_page_is_not_an_image(session, other):
    other.routes["/a.png"] = Answer(200, b"<html>", {"Content-Type": "text/html"})

    with pytest.raises(ImageFetchError, match="web page"):
        allowing(session, other.host).fetch(f"{other.url}/a.png")


# Redirects


def test_a_listed_host_may_redirect_within_listed_hosts(session, other):
    other.routes["/a"] = redirect("/b", 301)
    other.routes["/b"] = redirect(f"{other.url}/c.png", 307)
    other.routes["/c.png"] = IMAGE

    assert allowing(session, other.host).fetch(f"{other.url}/a") == PNG


def test_a_listed_host_may_not_redirect_elsewhere(session, server, other):
    source = allowing(session, server.host.replace(str(server.port), "1"), other.host)
    for target in ("http://169.254.169.254/", f"http://localhost:{server.port}/x", "file:///etc/passwd"):
        other.routes["/a"] = redirect(target)
        with pytest.raises(ImageRefusedError):
            source.fetch(f"{other.url}/a")


def test_a_listed_host_cannot_send_the_backend_to_the_api(session, server, other):
    other.routes["/a"] = redirect(f"{server.url}/api/projects")

    with pytest.raises(ImageRefusedError):
        allowing(session, other.host).fetch(f"{other.url}/a")

    assert server.requests == []


def test_redirects_in_a_circle_end(session, other):
    other.routes["/a"] = redirect("/a")

    with pytest.raises(ImageFetchError, match="too often"):
        allowing(session, other.host).fetch(f"{other.url}/a")
    assert len(other.requests) < 10


# Cloud storage


@pytest.mark.parametrize("uri", ["s3://bucket/cards/a b.png", "gs://bucket/a.png", "azure-blob://box/имя.png"])
def test_cloud_storage_is_resolved_by_label_studio_and_the_token_stays_there(session, server, other, uri):
    server.routes["/tasks/7/resolve/"] = redirect(f"{other.url}/signed.png?X-Signature=s", 303)
    other.routes["/signed.png"] = IMAGE

    assert allowing(session, other.host).fetch(uri, 7) == PNG

    asked = server.requests[0]
    assert base64.urlsafe_b64decode(asked.query["fileuri"]).decode() == uri
    assert asked.headers["authorization"] == "Token legacy-token"
    assert other.requests[0].query == {"X-Signature": "s"}
    assert "authorization" not in other.requests[0].headers


def test_label_studio_may_hand_the_file_out_itself(server, source):
    server.routes["/tasks/7/resolve/"] = IMAGE

    assert source.fetch("s3://bucket/a.png", 7) == PNG


def test_without_a_task_nothing_can_be_resolved(server, source):
    with pytest.raises(ImageFetchError, match="task"):
        source.fetch("s3://bucket/a.png")
    assert server.requests == []


def test_a_storage_that_label_studio_redirects_to_must_not_be_private_unless_listed(server, other, source):
    server.routes["/tasks/7/resolve/"] = redirect(f"{other.url}/signed.png", 303)

    with pytest.raises(ImageRefusedError, match="private network"):
        source.fetch("s3://bucket/a.png", 7)

    assert other.requests == []


def test_a_public_storage_need_not_be_listed_and_its_checked_address_is_used(server, session, other, monkeypatch):
    """The name is looked up once: a second answer, for a private address, never counts."""
    server.routes["/tasks/7/resolve/"] = redirect(f"http://bucket.example:{other.port}/signed.png", 303)
    other.routes["/signed.png"] = IMAGE
    looked_up = []
    real = socket.getaddrinfo

    def lookup(host, port, *args, **kwargs):
        if host == "bucket.example":
            looked_up.append(host)
            address = "127.0.0.1" if len(looked_up) > 1 else "198.51.100.7"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]
        return real(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setattr(download, "is_public", lambda address: address == "198.51.100.7")

    with pytest.raises(ImageFetchError):  # nobody lives at the documentation's address
        allowing(session, timeout=1).fetch("s3://bucket/a.png", 7)

    assert looked_up == ["bucket.example"]
    assert other.requests == []


def test_only_label_studio_itself_may_redirect_to_an_unlisted_host(server, other, session):
    server.routes["/tasks/7/resolve/"] = redirect(f"{other.url}/hop", 303)
    other.routes["/hop"] = redirect("http://93.184.215.14/a.png")

    with pytest.raises(ImageRefusedError):
        allowing(session, other.host).fetch("s3://bucket/a.png", 7)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_private_addresses_are_known_in_every_form(address, public):
    assert is_public(address) is public


# Local files


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "cards"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "имя 1.png").write_bytes(PNG)
    (tmp_path / "secret.png").write_bytes(b"secret")
    return root


@pytest.mark.parametrize(
    "path", ["sub/имя 1.png", "sub/%D0%B8%D0%BC%D1%8F%201.png", "/sub/имя+1.png", "sub/../sub/имя 1.png"]
)
def test_local_files_are_read_directly(session, server, folder, path):
    source = ImageSource(session, local_files_root=folder)

    assert source.fetch(f"/data/local-files/?d={path}") == PNG
    assert source.fetch(f"{server.url}/data/local-files/?d={path}") == PNG
    assert server.requests == []


@pytest.mark.parametrize(
    "path",
    ["../secret.png", "sub/../../secret.png", "%2e%2e/secret.png", "/../secret.png", "", "sub", "no.png", "a%00b"],
)
def test_nothing_outside_the_folder_is_read(session, server, folder, path):
    with pytest.raises(ImageFetchError, match="LOCAL_FILES_ROOT"):
        ImageSource(session, local_files_root=folder).fetch(f"/data/local-files/?d={path}")
    assert server.requests == []


def test_an_absolute_path_is_taken_as_one_below_the_folder(session, folder):
    with pytest.raises(ImageFetchError):
        ImageSource(session, local_files_root=folder).fetch(f"/data/local-files/?d={folder.parent}/secret.png")


def test_links_must_end_inside_the_folder(session, folder):
    (folder / "out.png").symlink_to(folder.parent / "secret.png")
    (folder / "in.png").symlink_to(folder / "sub" / "имя 1.png")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    source = ImageSource(session, local_files_root=folder)

    assert source.fetch("/data/local-files/?d=in.png") == PNG
    for name in ("out.png", "loop.png"):
        with pytest.raises(ImageFetchError):
            source.fetch(f"/data/local-files/?d={name}")


def test_a_pipe_is_not_waited_for(session, folder):
    os.mkfifo(folder / "pipe.png")

    with pytest.raises(ImageFetchError):
        ImageSource(session, local_files_root=folder).fetch("/data/local-files/?d=pipe.png")


def test_local_files_have_the_same_limit(session, folder):
    with pytest.raises(ImageFetchError, match="larger"):
        ImageSource(session, local_files_root=folder, max_bytes=10).fetch("/data/local-files/?d=sub/имя 1.png")


def test_without_a_folder_local_files_come_through_label_studio(server, source):
    server.routes["/data/local-files/"] = IMAGE

    assert source.fetch("/data/local-files/?d=sub/a.png") == PNG
    assert server.requests[0].query == {"d": "sub/a.png"}


# Embedded images


def test_an_embedded_image_is_decoded(source):
    encoded = base64.b64encode(PNG).decode()

    assert source.fetch(f"data:image/png;base64,{encoded}") == PNG
    assert source.fetch("DATA:image/png;base64," + encoded.replace("=", "%3D")) == PNG


@pytest.mark.parametrize(
    "url", ["data:image/png,abc", "data:text/html;base64,PGh0bWw+", "data:", "data:image/png;base64"]
)
def test_other_embedded_things_are_refused(source, url):
    with pytest.raises(ImageRefusedError):
        source.fetch(url)


def test_a_broken_embedded_image_is_an_error(source):
    with pytest.raises(ImageFetchError, match="base64"):
        source.fetch("data:image/png;base64,????")


@pytest.mark.parametrize("size", [10_001, 100_000])
def test_embedded_images_have_the_same_limit(source, size):
    with pytest.raises(ImageFetchError, match="larger"):
        source.fetch("data:image/png;base64," + base64.b64encode(bytes(size)).decode())


def test_errors_show_neither_signatures_nor_paths(session, server, other):
    server.routes["/tasks/7/resolve/"] = redirect(f"{other.url}/anna.png?X-Signature=secret", 303)
    other.routes["/anna.png"] = Answer(403, b"expired")

    with pytest.raises(ImageFetchError) as caught:
        allowing(session, other.host).fetch("s3://bucket/anna.png", 7)

    assert "secret" not in str(caught.value)
    assert "anna" not in str(caught.value)


class raw_server:
    """A server that sends bytes as they are, one at a time if it has to pause."""

    def __init__(self, answer, pause=0.0):
        self._answer, self._pause = answer, pause
        self._listener = socket.create_server(("127.0.0.1", 0))

    def __enter__(self):
        threading.Thread(target=self._serve, daemon=True).start()
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def _serve(self):
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        with connection:
            connection.recv(65536)
            try:
                if not self._pause:
                    connection.sendall(self._answer)
                    return
                time.sleep(0 if self._answer else self._pause)
                for byte in self._answer:
                    time.sleep(self._pause)
                    connection.send(bytes([byte]))
            except OSError:
                return

    def __exit__(self, *_):
        self._listener.close()


@pytest.mark.parametrize(
    "address",
    [
        "/data/upload/2/card.png",
        "/data/upload//2/card.png",
        "/data/%75pload/2/card.png",
        "/storage-data/uploaded/?filepath=upload/2/card.png",
        "/storage-data/uploaded/?filepath=%2Fupload%2F2%2Fcard.png",
        "/storage-data/uploaded/?filepath=upload%252F2%252Fcard.png",
        "/storage-data/uploaded/?filepath=upload/1/card.png&filepath=upload/2/card.png",
        "/data/upload/%32/card.png",
        "/tasks/8/resolve/?fileuri=czM6Ly9iL2MucG5n",
        "/tasks/8/presign/?fileuri=czM6Ly9iL2MucG5n",
        "/projects/2/resolve/?fileuri=czM6Ly9iL2MucG5n",
    ],
)
def test_task_gets_no_file_of_another_project(server, source, address):
    with pytest.raises(ImageRefusedError, match=r"another project|not one that Label Studio serves"):
        source.fetch(address, 7, 1)
    assert server.requests == []


@pytest.mark.parametrize(
    "address",
    [
        "/data/upload/1/card.png",
        "/storage-data/uploaded/?filepath=upload/1/card.png",
        "/tasks/7/resolve/?fileuri=czM6Ly9iL2MucG5n",
        "/projects/1/presign/?fileuri=czM6Ly9iL2MucG5n",
        "/data/local-files/?d=upload/2/card.png",
    ],
)
def test_task_gets_the_files_of_its_own_project(server, source, address):
    server.routes[address.partition("?")[0]] = IMAGE
    assert source.fetch(address, 7, 1) == PNG


def test_another_hosts_redirect_leads_to_no_other_projects_file(server, session, other):
    source = allowing(session, other.host)
    other.routes["/card.png"] = redirect(f"{server.url}/data/upload/2/card.png")
    with pytest.raises(ImageRefusedError, match="another project"):
        source.fetch(f"{other.url}/card.png", 7, 1)
    assert server.requests == []


def test_label_studios_own_redirects_are_followed_wherever_they_lead(server, source):
    server.routes["/tasks/7/resolve/"] = redirect("/data/upload/2/card.png")
    server.routes["/data/upload/2/card.png"] = IMAGE
    assert source.fetch("/tasks/7/resolve/?fileuri=czM6Ly9iL2MucG5n", 7, 1) == PNG


def test_a_name_that_nobody_answers_for_takes_no_longer_than_the_fetch_may(session, monkeypatch):
    go_on = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_named: go_on.wait(60) and [])
    begun = time.monotonic()
    with pytest.raises(ImageFetchError, match="took too long"):
        allowing(session, "slow.example", timeout=0.5).fetch("http://slow.example/a.png")
    assert time.monotonic() - begun < 10
    go_on.set()
