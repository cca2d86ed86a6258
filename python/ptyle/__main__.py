"""``python3 -m ptyle COMMAND``: the commands that the program ``ptyle`` hands on to its package."""

import importlib
import sys

from .errors import InputError

COMMANDS = {"convert": "convert", "import": "parameter_files"}


def main(argv):
    """Runs ``argv[0]`` with the rest. Returns the exit status: 0 done, 2 a mistake in what was given."""
    if not argv or argv[0] not in COMMANDS:
        print(f"ptyle: the package's commands are {', '.join(COMMANDS)}; ptyle COMMAND --help explains one",
              file=sys.stderr)
        return 2
    command = importlib.import_module(f".{COMMANDS[argv[0]]}", __package__)
    try:
        return command.main(argv[1:])
    except InputError as mistake:
        print(f"ptyle: {mistake}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
