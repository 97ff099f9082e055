import pytest

from fogbank.cli.undo import Undo


def test_steps_are_taken_back_in_reverse_where_something_failed() -> None:
    taken: list[str] = []
    with pytest.raises(KeyboardInterrupt), Undo() as undo:  # noqa: PT012 - the block is what is tested
        undo.later("a", lambda: taken.append("a"))
        undo.later("b", lambda: taken.append("b"))
        raise KeyboardInterrupt
    assert taken == ["b", "a"]


def test_nothing_is_taken_back_of_what_went_well() -> None:
    taken: list[str] = []
    with Undo() as undo:
        undo.later("a", lambda: taken.append("a"))
    assert taken == []


def test_not_even_by_an_error_that_comes_later() -> None:
    taken: list[str] = []
    with pytest.raises(ValueError, match="late"), Undo() as undo:  # noqa: PT012
        undo.later("a", lambda: taken.append("a"))
        undo.forget()
        raise ValueError("late")
    assert taken == []


def test_what_cannot_be_taken_back_is_named_and_keeps_nothing_else_back(capsys: pytest.CaptureFixture[str]) -> None:
    taken: list[str] = []

    def fails() -> None:
        raise OSError("the server is gone")

    with pytest.raises(ValueError, match="first"), Undo() as undo:  # noqa: PT012
        undo.later("thing a", lambda: taken.append("a"))
        undo.later("certificate b", fails)
        raise ValueError("first")
    assert taken == ["a"]
    expected = "left behind: certificate b, which could not be removed: the server is gone\n"
    assert capsys.readouterr().err == expected
