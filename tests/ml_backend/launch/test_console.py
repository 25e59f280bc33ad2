import io

from ml_backend.launch.console import Console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_line_carries_the_seconds_since_the_start() -> None:
    stream = io.StringIO()
    Console(stream).say("Label Studio answers")
    assert stream.getvalue() == "[   0 s] Label Studio answers\n"


def test_progress_is_rewritten_in_place_on_a_terminal() -> None:
    stream = Terminal()
    console = Console(stream)
    console.progress("1 of 2")
    console.progress("2 of 2")
    console.write("done")
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().endswith("\r\x1b[2Kdone\n")


def test_progress_in_a_log_file_is_written_once_in_ten_seconds() -> None:
    stream = io.StringIO()
    console = Console(stream)
    for number in range(100):
        console.progress(f"{number} of 100")
    assert stream.getvalue() == "[   0 s]   0 of 100\n"
