"""Runs functions as tests, each named as it is called, and prints what became of them (TAP)."""
import traceback


def run(tests):
    """Whether any failed."""
    failed = 0
    print(f"1..{len(tests)}", flush=True)
    for n, test in enumerate(tests, 1):
        name = test.__name__.replace("_", "-")
        try:
            test()
            print(f"ok {n} - {name}", flush=True)
        except Exception:  # a test that fails must not keep the others from running
            failed += 1
            print(f"not ok {n} - {name}")
            print("".join("# " + line + "\n" for line in traceback.format_exc().splitlines()), end="", flush=True)
    return failed != 0
