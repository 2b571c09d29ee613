"""News of accounts over Redis: a process looks at once, and within a second without them."""

from __future__ import annotations

import threading
from pathlib import Path

from redis import Redis

from sync_worker.redis.account_news import AccountNews
from sync_worker.redis.client import RedisClient, open_redis
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from tests.unit.wiring.accounts_in_memory import AccountsInMemory
from tests.unit.wiring.test_account_book import ONE, Process, accounts, connectors

__all__ = ["accounts", "connectors"]


def news_at(url: str) -> AccountNews:
    return AccountNews(RedisClient(open_redis(url, 0.5)), lambda: open_redis(url, 0.5))


def test_process_that_hears_of_a_change_looks_at_once(
    redis: Redis, redis_server: EmbeddedRedis, accounts: AccountsInMemory, connectors: object
) -> None:
    """Its clock stands still: nothing but the news makes it look."""
    process = Process(accounts, connectors)  # type: ignore[arg-type]  # a fixture
    heard, count = threading.Condition(), [0]

    def hear() -> None:
        process.book.look_again()
        with heard:
            count[0] += 1
            heard.notify_all()

    news = news_at(redis_server.url)
    news.listen(hear)
    news.listen(hear)
    with heard:
        assert heard.wait_for(lambda: count[0] == 1, 10)  # it listens now
    assert process.secrets_at(ONE) == ["s-one"]
    process.accounts.revoke(ONE)
    assert process.secrets_at(ONE) == ["s-one"]
    news_at(redis_server.url).tell()
    with heard:
        assert heard.wait_for(lambda: count[0] == 2, 10)
    assert process.secrets_at(ONE) is None


def test_news_without_redis_disturb_nobody(tmp_path: Path) -> None:
    news = news_at(f"unix://{tmp_path}/nobody")
    news.tell()
    news.listen(lambda: None)
