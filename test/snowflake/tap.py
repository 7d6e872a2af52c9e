"""Says what is tested, as TAP."""

import sys


class Tap:
    """Counts and prints."""

    def __init__(self):
        self.count = self.failed = 0

    def ok(self, passed, title, *notes):
        self.count += 1
        self.failed += not passed
        print(f"{'ok' if passed else 'not ok'} {self.count} - {title}", flush=True)
        for note in notes if not passed else []:
            print("#   " + str(note).replace("\n", "\n#   "))
        return passed

    def skip(self, title, reason):
        self.count += 1
        print(f"ok {self.count} - {title} # skip: {reason}", flush=True)

    def proof(self, text):
        print(f"# proof: {text}")

    def end(self):
        print(f"1..{self.count}")
        sys.exit(self.failed > 0)
