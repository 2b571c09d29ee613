"""The twenty promises, and the tests that show each: what ``python -m tests.chaos`` runs and
docs/promises.md lists.
"""

from __future__ import annotations

from dataclasses import dataclass

CHAOS = "tests/chaos/test_"


@dataclass(frozen=True, slots=True)
class Promise:
    """``tests``: ``file::name``, in the order of their weight."""

    number: int
    words: str
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"P{self.number}"


PROMISES = (
    Promise(
        1,
        "Once a delivery was answered 200, it is never lost: Redis wiped or killed, workers killed"
        " in the middle of a write.",
        (
            CHAOS
            + "kills.py::test_2500_events_survive_killed_workers_and_a_wiped_and_killed_redis",
            (
                "tests/integration/test_gateway.py::"
                "test_delivery_is_committed_before_the_answer_and_the_doorbell"
            ),
            "tests/end_to_end/test_processes.py::test_redis_wiped_in_between_costs_nothing",
        ),
    ),
    Promise(
        2,
        "One change is one write on the other side at most, in both directions, wherever a worker"
        " dies.",
        (
            CHAOS + "kills.py::test_worker_killed_around_its_remote_write_leaves_exactly_one",
            "tests/simulation/test_scenarios.py::test_crash_after_any_step_ends_the_same",
        ),
    ),
    Promise(
        3,
        "The gateway answers within 1,250 ms whatever Redis does: frozen, dead, read-only, full,"
        " paused, or refusing the password; with connections open and with none yet.",
        (
            CHAOS + "door.py::test_every_delivery_is_answered_in_time_whatever_redis_does",
            CHAOS + "door.py::test_gateway_that_starts_while_redis_is_away_answers_in_time",
        ),
    ),
    Promise(
        4,
        "A ledger that cannot be written is 503 with Retry-After, never 200; nothing is stored by"
        " halves, and no restart is needed afterwards.",
        (
            CHAOS + "door.py::test_locked_ledger_or_full_disk_is_503_and_nothing_is_lost",
            CHAOS + "door.py::test_postgresql_that_is_stopped_or_frozen_is_503_and_nothing_is_lost",
        ),
    ),
    Promise(
        5,
        "The same webhook, sent any number of times, at once or days later, is answered 200 and has"
        " one effect.",
        (
            CHAOS + "door.py::test_fifty_senders_of_one_event_are_answered_200_and_store_it_once",
            "tests/integration/test_retention.py::test_ended_delivery_is_known_for_30_days_and_no_longer",
        ),
    ),
    Promise(
        6,
        "A forged, altered, old or broken request never gets in, and never makes a 500.",
        (
            "tests/unit/webhook_gateway/test_wix_webhook.py::test_forged_or_broken_body_is_rejected",
            "tests/unit/webhook_gateway/test_external_webhook.py::test_forged_or_broken_request_is_rejected",
            "tests/integration/test_gateway_strain.py::test_no_bytes_and_headers_cause_a_500",
            (
                "tests/end_to_end/test_hard_door.py::"
                "test_request_of_ambiguous_length_is_refused_with_all_behind_it"
            ),
        ),
    ),
    Promise(
        7,
        "Keys and secrets are replaced without a lost event, and a retired one opens nothing.",
        (
            CHAOS + "door.py::test_key_replaced_while_events_come_costs_none_of_them",
            "tests/unit/webhook_gateway/test_external_webhook.py::test_previous_secret_serves_during_a_rotation",
        ),
    ),
    Promise(
        8,
        "Events in any order, however late, end in the right state; a late update revives nothing.",
        (
            (
                "tests/simulation/test_interleavings.py::"
                "test_every_order_of_five_events_ends_in_one_allowed_state"
            ),
            "tests/simulation/test_scenarios.py::test_replaying_every_delivery_changes_nothing",
        ),
    ),
    Promise(
        9,
        "One change of a person is one write, with no echo of an echo, even when Redis is wiped"
        " between the write and its echo.",
        (CHAOS + "remotes.py::test_one_change_is_one_write_although_redis_is_wiped_before_echoes",),
    ),
    Promise(
        10,
        "A remote that is slow, limits, fails, hangs up or half answers loses and doubles nothing;"
        " a wait that it asks for is kept.",
        (
            CHAOS + "remotes.py::test_remotes_that_fail_in_every_way_lose_and_double_no_rating",
            "tests/integration/test_remotes.py::test_call_ends_within_its_deadline_whatever_the_remote_does",
            "tests/integration/test_redis.py::test_pause_that_a_remote_asked_for_holds_for_the_fleet",
        ),
    ),
    Promise(
        11,
        "A side that hangs does not eat the workers: the other one goes on, and what waited is made"
        " up for.",
        (CHAOS + "remotes.py::test_side_that_hangs_leaves_the_workers_to_the_other_side",),
    ),
    Promise(
        12,
        "No delivery and no message, however broken, blocks the queue or ends the workers.",
        (
            CHAOS + "poison.py::test_broken_messages_in_the_queue_stop_no_worker_and_delay_nobody",
            CHAOS + "poison.py::test_unforeseen_delivery_is_tried_ever_later_and_held_in_the_end",
            CHAOS + "poison.py::test_delivery_that_kills_its_worker_is_held_and_others_cross",
        ),
    ),
    Promise(
        13,
        "The work of a killed worker is taken up within 30 s.",
        (CHAOS + "kills.py::test_worker_killed_around_its_remote_write_leaves_exactly_one",),
    ),
    Promise(
        14,
        "A worker that is stopped, also in its first second and under load, ends within 30 s;"
        " nothing is lost or done twice.",
        (CHAOS + "stops.py::test_worker_stopped_under_load_ends_in_time_and_loses_nothing",),
    ),
    Promise(
        15,
        "A clock that is wrong by minutes, or an hour, loses and doubles nothing.",
        (CHAOS + "clocks.py::test_worker_whose_clock_is_wrong_loses_and_doubles_nothing",),
    ),
    Promise(
        16,
        "Everything held can be seen and replayed, pressing twice is safe, and the history says who"
        " did it and when.",
        (
            CHAOS + "replay.py::test_twenty_held_deliveries_replayed_thrice_have_one_effect_each",
            "tests/integration/test_held.py::test_who_replayed_what_and_when_is_in_the_history_once",
        ),
    ),
    Promise(
        17,
        "No secret and nobody's address in logs, Redis, messages, Flower or metrics.",
        ("tests/end_to_end/test_canary.py::test_no_secret_and_no_address_shows_after_real_work",),
    ),
    Promise(
        18,
        "Webhooks that never came are found and made up for by one sweep.",
        (
            "tests/end_to_end/test_reconcile.py::test_one_sweep_finds_and_repairs_what_dropped_webhooks_left",
        ),
    ),
    Promise(
        19,
        "A burst is accepted at once and drained at the allowed rate; the remote has to refuse"
        " nothing.",
        (CHAOS + "remotes.py::test_burst_is_accepted_at_once_and_drained_within_the_budget",),
    ),
    Promise(
        20,
        "A rolling upgrade loses nothing, also in the wrong order and with the migration under"
        " traffic.",
        (
            CHAOS + "stops.py::test_newer_gateway_beside_old_workers_loses_nothing",
            (
                "tests/integration/test_migrations.py::"
                "test_upgrade_under_running_traffic_loses_no_delivery_that_was_accepted"
            ),
        ),
    ),
)
