"""The request budget of a remote account: one token bucket in Redis for the whole fleet."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from sync_worker.core.errors import RateLimited
from sync_worker.redis.client import RedisAway, RedisClient

AWAY_SECONDS = 5.0

# Keys: the bucket, by which other names it is counted, and last since when this Redis has kept
# buckets. Arguments: capacity, tokens each second, tokens that stay for others. A missing bucket
# counts as empty then and not used since: a new account begins at once, and a wiped Redis, which
# begins anew, never doubles the rate.
# Returns 0, or the milliseconds until a token is there under every name.
TAKE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local capacity, rate, reserve = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local began = table.remove(KEYS)
local function kept_since()
  redis.call('SET', began, tostring(now), 'NX')
  return tonumber(redis.call('GET', began))
end
local left, wait = {}, 0
for place, key in ipairs(KEYS) do
  local bucket = redis.call('HMGET', key, 'tokens', 'at', 'paused_until')
  local tokens, at = tonumber(bucket[1]) or 0, tonumber(bucket[2]) or kept_since()
  left[place] = math.min(capacity, tokens + math.max(0, now - at) * rate)
  local paused_until = tonumber(bucket[3]) or 0
  wait = math.max(wait, paused_until - now, (1 + reserve - left[place]) / rate)
end
for place, key in ipairs(KEYS) do
  local tokens = left[place]
  if wait <= 0 then tokens = tokens - 1 end
  redis.call('HSET', key, 'tokens', tostring(tokens), 'at', tostring(now))
  redis.call('EXPIRE', key, 604800)
end
if wait <= 0 then return 0 end
return math.ceil(wait * 1000)
"""
PAUSE = """
local time = redis.call('TIME')
for _, key in ipairs(KEYS) do
  redis.call('HSET', key, 'paused_until', tostring(tonumber(time[1]) + tonumber(ARGV[1])))
  redis.call('EXPIRE', key, 3600)
end
return 0
"""


class LocalBudget:
    """A token bucket of this process alone; starts empty."""

    def __init__(
        self, capacity: float, per_minute: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._capacity, self._rate, self._clock = capacity, per_minute / 60.0, clock
        # Empty: a process that starts again and again gains nothing by it.
        self._tokens, self._at, self._paused_until = 0.0, clock(), 0.0
        self._turn = threading.Lock()

    def take(self) -> None:
        with self._turn:
            now = self._clock()
            self._tokens = min(self._capacity, self._tokens + (now - self._at) * self._rate)
            self._at = now
            wait = max(self._paused_until - now, (1.0 - self._tokens) / self._rate)
            if wait > 0:
                raise RateLimited(retry_after=wait)
            self._tokens -= 1.0

    def penalise(self, seconds: float) -> None:
        with self._turn:
            self._paused_until = max(self._paused_until, self._clock() + seconds)


class RedisBudget:
    """The request budget of one remote account; implements the remotes' ``Budget``.

    ``processes``: while Redis is away each process takes this share of the rate for itself.
    ``reserve``: so many tokens stay in the bucket for those who have none to leave; who leaves some
    to others rests while Redis is away.
    """

    def __init__(
        self,
        client: RedisClient,
        key: str,
        *,
        capacity: float,
        per_minute: float,
        processes: int = 1,
        reserve: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._reserve = client, reserve
        # Counted by its name without the prefix, too: processes of the release before know no
        # other, and beside them the rate would double. To go with the next release.
        self._keys = list(dict.fromkeys((f"{client.prefix}{key}", key)))
        self._take_keys = [*self._keys, f"{client.prefix}budgets_since"]
        # A bucket of one token leaves none: who keeps to the reserve would never have a turn.
        self._left_to_others = min(reserve, capacity - 1.0)
        self._capacity, self._rate = capacity, per_minute / 60.0
        self._take = client.redis.register_script(TAKE)
        self._pause = client.redis.register_script(PAUSE)
        # At least a whole token fits in, or this process could never take any.
        self._local = LocalBudget(max(1.0, capacity / processes), per_minute / processes, clock)

    def take(self) -> None:
        try:
            shape = [self._capacity, self._rate, self._left_to_others]
            wait = self._client.ask(self._take, keys=self._take_keys, args=shape)
        except RedisAway:
            # Sweeps and imports leave the process's own share to webhooks.
            if self._reserve:
                raise RateLimited(
                    "sweeps rest while Redis is away", retry_after=AWAY_SECONDS
                ) from None
            self._local.take()
            return
        if int(wait) > 0:
            raise RateLimited(retry_after=int(wait) / 1000.0)

    def penalise(self, seconds: float) -> None:
        # Here, too: Redis may go away within the pause.
        self._local.penalise(seconds)
        with suppress(RedisAway):
            self._client.ask(self._pause, keys=self._keys, args=[seconds])
