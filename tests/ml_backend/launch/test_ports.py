import socket

import pytest

from ml_backend.errors import LaunchError
from ml_backend.launch.ports import check_port


def test_port_in_use_is_refused_with_the_setting_that_moves_it() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with pytest.raises(LaunchError, match=rf"Port {port}, which the backend needs.*PORT=\.\.\."):
            check_port(port, host="127.0.0.1", what="the backend", setting="PORT")
    check_port(port, host="127.0.0.1", what="the backend", setting="PORT")


def test_address_of_another_machine_is_refused() -> None:
    with pytest.raises(LaunchError, match=r"192\.0\.2\.1"):
        check_port(9090, host="192.0.2.1", what="the backend", setting="HOST")
