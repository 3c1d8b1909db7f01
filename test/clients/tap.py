"""TAP for the tests in Python of programs as clients: each runs in a database of its own, as role vsm_app, which may write."""
import sys


class Tap:
    def __init__(self):
        self.n = 0
        self.bad = 0

    def ok(self, good, name, *told):
        self.n += 1
        self.bad += not good
        print(f"{'ok' if good else 'not ok'} {self.n} - {name}")
        for line in told if not good else ():
            print(f"#   {line!r}")

    def same(self, got, expected, name):
        self.ok(got == expected, name, ('got', got), ('expected', expected))

    def fails(self, state, part, call, name, rollback=lambda: None):
        """call() must raise an error of that SQLSTATE, with that part in its text."""
        try:
            call()
        except Exception as error:
            cause = getattr(error, 'orig', None) or error.__cause__ or error
            told = f'{getattr(cause, "pgcode", None) or getattr(cause, "sqlstate", None)} {cause}'
            rollback()
            self.ok(told.startswith(state) and part in told, name, told)
        else:
            self.ok(False, name, 'no error')

    def done(self):
        print(f'1..{self.n}')
        sys.exit(self.bad > 0)


def skip(reason):
    print(f'1..0 # skipped: {reason}')
    sys.exit(0)
