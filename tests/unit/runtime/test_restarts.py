"""A process that has ended is started again: at once, ever later, or (if it never worked) not."""

from __future__ import annotations

from sync_worker.runtime.local.restarts import Restarts


def pauses(lives: list[float]) -> tuple[list[float | None], Restarts]:
    """The pause after each of these lives, in seconds."""
    now = [0.0]
    restarts = Restarts(lambda: now[0])
    found = []
    for lived in lives:
        now[0] += lived
        pause = restarts.note_end()
        found.append(pause)
        assert restarts.note_end() is None, "one end, told once"
        if pause:
            now[0] += pause - 0.5
            assert not restarts.is_due
            now[0] += 0.5
        assert restarts.is_due
        restarts.note_start()
        assert not restarts.is_due
    return found, restarts


def test_process_that_had_worked_is_started_again_at_once() -> None:
    found, restarts = pauses([3600.0, 11.0, 11.0])
    assert found == [0.0, 0.0, 0.0]
    assert not restarts.is_hopeless


def test_process_that_ends_each_time_waits_ever_longer_up_to_a_minute() -> None:
    found, restarts = pauses([3600.0] + [1.0] * 9)
    assert found == [0.0, 0.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    assert not restarts.is_hopeless, "it has worked once: its reason may pass"


def test_process_that_never_worked_is_hopeless_after_three_starts() -> None:
    assert not pauses([1.0, 1.0])[1].is_hopeless
    assert pauses([1.0, 1.0, 1.0])[1].is_hopeless
