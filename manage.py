#!/usr/bin/env python
"""Runs Parfocal's commands; `manage.py help` lists them, `manage.py up` starts the whole site."""

import os
import sys


def main() -> None:
    """Run the command named on the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
    # PyTorch's and NumPy's thread pools must sleep between calls: several processes share the cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # Half of the cores: on two busy ones, two threads that wait for each other are many times slower than one.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 2) // 2)))
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
