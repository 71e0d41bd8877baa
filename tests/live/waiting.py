import time

# Seconds; no more than a broken run may hang. A job that finds what it needs held comes again after
# a pause, which Odoo's schedulers notice when they look by themselves: once a minute.
PATIENCE = 100


def wait_until(check, what, timeout=PATIENCE):
    """Wait until a check comes true.

    :param check: A function; what it returns is judged as true or false.
    :param str what: What is waited for, for the failure's message. May be a function.
    :param float timeout: Seconds.
    :return: What the check returned at last.
    :raise AssertionError: If it does not come true in time.
    """
    deadline = time.monotonic() + timeout
    while not (result := check()):
        if time.monotonic() > deadline:
            raise AssertionError(
                f"Waited {timeout} s in vain: {what() if callable(what) else what}"
            )
        time.sleep(0.05)
    return result
