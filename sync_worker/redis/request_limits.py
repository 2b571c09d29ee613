"""How often each program may ask: one bucket a name in Redis, for all processes of the console."""

from __future__ import annotations

import math

from sync_worker.redis.client import RedisAway, RedisClient

MINUTE = 60.0
KEPT_SECONDS = 120  # a bucket that was left alone for a minute is full, as one that is not there

# Key: the bucket. Arguments: its capacity, tokens each second, seconds that it is kept.
# Returns 0, or the milliseconds until a token is there.
TAKE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local most, rate = tonumber(ARGV[1]), tonumber(ARGV[2])
local known = redis.call('HMGET', KEYS[1], 'left', 'at')
local left, at = tonumber(known[1]) or most, tonumber(known[2]) or now
left = math.min(most, left + math.max(0, now - at) * rate)
if left < 1 then return math.ceil((1 - left) / rate * 1000) end
redis.call('HSET', KEYS[1], 'left', tostring(left - 1), 'at', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 0
"""


class RedisLimits:
    """``per_minute``: of each name, all of them at once if it likes."""

    def __init__(self, client: RedisClient, per_minute: float) -> None:
        self._client, self._most = client, float(per_minute)
        self._take = client.redis.register_script(TAKE)

    def seconds_until_free(self, name: str) -> int | None:
        """0: it may ask, and has; else after so many seconds; ``None``: Redis does not answer.

        ``name``: no secret; it stands in a key.
        """
        shape = [self._most, self._most / MINUTE, KEPT_SECONDS]
        key = f"{self._client.prefix}console-limit:{name}"
        try:
            wait = self._client.ask(self._take, keys=[key], args=shape)
        except RedisAway:
            return None
        return math.ceil(int(wait) / 1000)
