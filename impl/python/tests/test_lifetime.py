"""What is forgotten never hangs: garbage collection, the end of the interpreter, fork.

Each program runs in its own interpreter; that it ends in time is the main thing tested.
"""

import subprocess
import sys
import textwrap

import pytest

LIMIT_S = 60
UNSENT = """
import serverlink
context = serverlink.Context()
push = context.socket(serverlink.PUSH)
push.connect("tcp://127.0.0.1:9")
push.send(b"never sent")
"""


def run(program: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def assert_clean(program: str) -> str:
    done = run(program)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(
    "ending",
    [
        "",
        "push.close()",
        "push.close(); del push, context",
        "del push",
        "del context",
        "context.destroy(linger=0)",
        "import sys; sys.exit(0)",
        "cycle = [push, context]; cycle.append(cycle); del push, context, cycle",
    ],
)
def test_exit_with_unsent_messages(ending: str) -> None:
    assert_clean(f"{UNSENT}{ending}\nimport gc; gc.collect()")


def test_exit_with_a_thread_that_waits() -> None:
    assert_clean(
        """
        import serverlink, threading
        context = serverlink.Context()
        started = threading.Event()
        def wait():
            pull = context.socket(serverlink.PULL)
            pull.bind("inproc://wait")
            started.set()
            try:
                pull.recv()
            except serverlink.ServerLinkError:
                pass
        threading.Thread(target=wait, daemon=True).start()
        started.wait()
        """
    )


def test_exit_of_the_shared_instance() -> None:
    assert_clean(
        """
        import serverlink
        context = serverlink.Context.instance()
        pull = context.socket(serverlink.PULL)
        pull.bind_to_random_port("tcp://127.0.0.1")
        """
    )


def test_a_socket_keeps_its_context() -> None:
    out = assert_clean(
        """
        import gc, serverlink
        pair = [serverlink.Context().socket(serverlink.PAIR)]
        gc.collect()
        other = pair[0].context.socket(serverlink.PAIR)
        pair[0].bind("inproc://kept")
        other.connect("inproc://kept")
        other.send(b"x")
        print(pair[0].recv())
        """
    )
    assert out == "b'x'\n"


def test_a_forgotten_socket_is_told_of_and_closed() -> None:
    done = run(
        UNSENT + "del push\ncontext.term()\nprint('terminated')", "-X", "dev", "-W", "always"
    )
    assert done.stdout == "terminated\n"
    assert "ResourceWarning: unclosed socket" in done.stderr


def test_collecting_a_context_does_not_wait_for_its_messages() -> None:
    out = assert_clean(
        UNSENT
        + textwrap.dedent(
            """
            import gc, time
            push.close()
            start = time.monotonic()
            del push, context
            gc.collect()
            print(time.monotonic() - start < 20)
            """
        )
    )
    assert out == "True\n"


def test_a_forked_child_has_no_sockets_but_can_make_some() -> None:
    out = assert_clean(
        UNSENT
        + textwrap.dedent(
            """
            import os, sys
            child = os.fork()
            if child == 0:
                assert push.closed and context.closed
                for call in (lambda: push.send(b"x"), lambda: push.sndhwm):
                    try:
                        call()
                    except serverlink.ServerLinkError as error:
                        assert error.errno == serverlink.ENOTSOCK
                    else:
                        raise SystemExit("no error")
                push.close()
                context.term()
                with serverlink.Context() as own, own.socket(serverlink.PAIR) as one:
                    with own.socket(serverlink.PAIR) as other:
                        one.bind("inproc://child")
                        other.connect("inproc://child")
                        other.send(b"child")
                        print(one.recv(), flush=True)
                sys.exit(0)
            assert os.waitpid(child, 0)[1] == 0
            assert not push.closed
            push.send(b"parent still can")
            context.destroy(linger=0)
            """
        )
    )
    assert out == "b'child'\n"


def test_interrupting_a_waiting_program_ends_it() -> None:
    program = """
        import os, serverlink, signal, threading, time
        context = serverlink.Context()
        pull = context.socket(serverlink.PULL)
        pull.bind("inproc://wait")
        def interrupt():
            # Not at once: an interrupt inside Thread.start() can leave the interpreter's own locks
            # held, and then its exit hangs whatever was imported.
            while True:
                time.sleep(0.05)
                os.kill(os.getpid(), signal.SIGINT)
        try:
            threading.Thread(target=interrupt, daemon=True).start()
            pull.recv()
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            print("interrupted")
        """
    assert assert_clean(program) == "interrupted\n"
