"""Settings of the process, as the command line makes them.

Waiting threads give their core away after some microseconds (``OMP_WAIT_POLICY``, unless it is set; without effect where torch was
imported before), and freed blocks of memory stay in the process.  ``SPIKETRAIN_PASSIVE=0`` and ``SPIKETRAIN_KEEP_MEMORY=0``
turn them off.  The number of threads is torch's own: ``torch.set_num_threads``."""
import os
import sys


def _wanted(name):
    return os.environ.get(name, "1") != "0"


if "torch" not in sys.modules and _wanted("SPIKETRAIN_PASSIVE") and "OMP_WAIT_POLICY" not in os.environ:
    os.environ["OMP_WAIT_POLICY"] = "passive"
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def settle(core):
    if _wanted("SPIKETRAIN_KEEP_MEMORY"):
        core.keep_memory()
