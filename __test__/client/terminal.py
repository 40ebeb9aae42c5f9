"""A terminal with a shell's job control, for tests: runs a command on it and reports what becomes of both.

Reads {"argv", "env", "cwd", "steps", "timeout"} as JSON from standard input. A step waits until its "see" stands in the
output (or, without one, until the command has stopped), then does one thing: {"type": text}, {"size": [rows, columns]},
{"signal": name} to the command alone, {"continue": true} to its group, {"hangup": true}.
Writes {"output", "changes"}: changes are "stopped <signal>", "exited <code>" and "killed <signal>".
"""
import fcntl, json, os, pty, select, signal, struct, sys, termios, time

spec = json.load(sys.stdin)
status_read, status_write = os.pipe()
leader, terminal = pty.fork()

if leader == 0:
    # The shell: leader of the session, which gives its command a group of its own, in the foreground.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.close(status_read)
    command = os.fork()
    if command == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.close(status_write)
        os.chdir(spec.get("cwd", "."))
        os.execvpe(spec["argv"][0], spec["argv"], spec["env"])
    # A shell passes the hangup of its terminal to its jobs.
    signal.signal(signal.SIGHUP, lambda *_: os.killpg(command, signal.SIGHUP))
    os.write(status_write, b"pid %d\n" % command)
    while True:
        try:
            _, status = os.waitpid(command, os.WUNTRACED)
        except InterruptedError:
            continue
        if os.WIFSTOPPED(status):
            os.write(status_write, b"stopped %s\n" % signal.Signals(os.WSTOPSIG(status)).name.encode())
            continue
        if os.WIFSIGNALED(status):
            os.write(status_write, b"killed %s\n" % signal.Signals(os.WTERMSIG(status)).name.encode())
        else:
            os.write(status_write, b"exited %d\n" % os.WEXITSTATUS(status))
        os._exit(0)

os.close(status_write)
output, statuses, open_ends = b"", b"", [terminal, status_read]
steps = list(spec["steps"])
deadline = time.monotonic() + spec.get("timeout", 30)
seen = 0


def changes():
    return [line for line in statuses.decode().split("\n") if line and not line.startswith("pid ")]


def act(step):
    command = int(statuses.split(b"\n", 1)[0].split()[1])
    if "type" in step:
        os.write(terminal, step["type"].encode())
    if "size" in step:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *step["size"], 0, 0))
    if "signal" in step:
        os.kill(command, signal.Signals[step["signal"]])
    if "continue" in step:
        os.killpg(command, signal.SIGCONT)
    if "hangup" in step:
        open_ends.remove(terminal)
        os.close(terminal)


while status_read in open_ends and time.monotonic() < deadline:
    ready, _, _ = select.select(open_ends, [], [], 0.05)
    for end in ready:
        try:
            read = os.read(end, 1 << 16)
        except OSError:
            read = b""
        if not read:
            open_ends.remove(end)
        elif end == terminal:
            output += read
        else:
            statuses += read
    if steps and statuses.startswith(b"pid "):
        see = steps[0].get("see")
        if see is None and any(change.startswith("stopped") for change in changes()):
            act(steps.pop(0))
        elif see is not None and see.encode() in output[seen:]:
            seen = output.index(see.encode(), seen) + len(see.encode())
            act(steps.pop(0))

print(json.dumps({"output": output.decode(), "changes": changes()}))
try:
    os.kill(leader, signal.SIGKILL)
except ProcessLookupError:
    pass
