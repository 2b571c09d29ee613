"""Python imports this first where its folder is on PYTHONPATH: the clock is wrong by CLOCK_SHIFT
seconds.
"""

import os
import time

_shift, _real = float(os.environ["CLOCK_SHIFT"]), time.time
time.time = lambda: _real() + _shift
