"""How much may be asked of a language model's server at a time."""

from __future__ import annotations

#: Requests in flight.
CONCURRENCY = '[1, 1000]'
#: Seconds to wait for a whole answer.
TIMEOUT = '(0, 86400]'
