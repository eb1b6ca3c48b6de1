#!/usr/bin/env python3
"""Two more parsers of HTTP/1 (http_parser in C, h11 in Python) against the codec of h1: each message
that it accepts must be the same one to them: method, target or code, number of fields, body, and where
it ends. That they take more is their affair; that they take less, or otherwise, must stand in
DIFFERENCES. Asked of the fuzz corpora, of what the protocol scripts say, and of spoilt messages.

    h1_peers_test.py H1_INPUTS HTTP_PARSER_SAYS|- SOURCE_ROOT [SEED [COUNT]]
"""
import collections
import os
import re
import subprocess
import sys
import tempfile

# Why one of them may see less, or another thing: (reason, what it is about). A reason that no message
# needs any more is an error.
DIFFERENCES = {
    "h11": [
        ("h11 does not pass over an empty line before a request (RFC 9112 2.2: it should)",
         lambda m, how: m.piece.startswith(b"\r\n") and how.startswith("refused")),
        ("h11 makes one field of equal Content-Lengths, and refuses 5 beside 05 (RFC 9110 8.6)",
         lambda m, how: count_lengths(m) > 1 and (how == "whole" or "conflicting" in how)),
        ("h11 looks into trailers for the framing; h1 drops such fields (RFC 9110 6.5.1)",
         lambda m, how: has_framing_trailers(m) and how.startswith("refused")),
    ],
    "http_parser": [
        ("http_parser knows a list of methods; h1 takes any token (RFC 9110 9.1)",
         lambda m, how: how == "refused:HPE_INVALID_METHOD"),
        ("http_parser refuses equal Content-Lengths; RFC 9110 8.6 lets both",
         lambda m, how: count_lengths(m) > 1 and how == "refused:HPE_UNEXPECTED_CONTENT_LENGTH"),
        ("http_parser knows no tab behind a length or a coding (OWS, RFC 9110 5.6.3)",
         lambda m, how: re.search(rb"^(content-length|transfer-encoding):[^\r]*\t\r$", m.piece,
                                  re.I | re.M)),
        ("http_parser looks into trailers for the framing; h1 drops such fields (RFC 9110 6.5.1)",
         lambda m, how: has_framing_trailers(m) and how.startswith("refused")),
        ("http_parser 2.9.4 takes Transfer-EncodingX, too, for Transfer-Encoding",
         lambda m, how: re.search(rb"^transfer-encoding[^:]", m.piece, re.I | re.M)),
    ],
}


def count_lengths(message):
    return len(re.findall(rb"^content-length:", message.piece, re.I | re.M))


def has_framing_trailers(message):
    """Behind the last chunk, or the head that begins its message."""
    return len(re.findall(rb"^(?:content-length|transfer-encoding)[^\r\n]*:", message.piece,
                          re.I | re.M)) > 1 and b"\n0" in message.piece


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(1 if os.environ.get("CI") else 77)


try:
    import h11
except ImportError:
    skip("h11 is not installed (python3-h11)")


def unescape(text):
    """What stands between quotes in a protocol script."""
    return re.sub(rb"\\(x[0-9a-fA-F]{2}|.)", lambda m: (
        bytes([int(m[1][1:], 16)]) if len(m[1]) > 1 else
        {b"r": b"\r", b"n": b"\n", b"t": b"\t"}.get(m[1], m[1])), text)


def gather(root, folder):
    """Arguments for H1_INPUTS: each file is a message or several."""
    said = []
    for name, kind in (("fuzz_h1_request", "q"), ("fuzz_h1_response", "r")):
        corpus = os.path.join(root, "fuzz/corpus", name)
        for entry in sorted(os.listdir(corpus)):
            with open(os.path.join(corpus, entry), "rb") as file:
                said.append((kind, file.read()[1:]))  # the first byte is choices
    scripts = os.path.join(root, "tests/proto")
    for entry in sorted(os.listdir(scripts)):
        if entry.endswith(".gwt"):
            with open(os.path.join(scripts, entry), "rb") as file:
                for who, text in re.findall(rb'^\s*(client|upstream) says "((?:[^"\\]|\\.)*)"',
                                            file.read(), re.M):
                    said.append(("q" if who == b"client" else "r", unescape(text)))
    arguments = []
    for i, (kind, text) in enumerate(said):
        path = os.path.join(folder, str(i))
        with open(path, "wb") as file:
            file.write(text)
        arguments += [kind, path]
    return arguments


Message = collections.namedtuple("Message", "kind method what fields body piece")


def messages(program, arguments):
    """Each message that h1 has accepted, with the bytes that it says are the message's."""
    out = subprocess.run([program, *arguments], stdout=subprocess.PIPE, check=True).stdout
    for line in out.decode("latin-1").split("\n"):
        kind, text, *words = line.split(" ") if line else ("", "", )
        text = bytes.fromhex(text) if text not in ("", "-") else b""
        for i in range(0, len(words) - 5, 6):
            method, what, fields, start, end, body = words[i : i + 6]
            yield Message(kind, method, what, int(fields), b"" if body == "-" else bytes.fromhex(body),
                          text[int(start) : int(end)])


def ask_h11(message):
    """(method, target) or (code,), fields, body, how it ended."""
    is_response = message.kind == "r"
    us = h11.Connection(h11.CLIENT if is_response else h11.SERVER, max_incomplete_event_size=1 << 20)
    if is_response:
        us.send(h11.Request(method=message.method, target="/", headers=[("Host", "a")]))
        us.send(h11.EndOfMessage())
    what, fields, body, is_ended = None, 0, b"", False
    try:
        us.receive_data(message.piece)
        while True:
            event = us.next_event()
            if event is h11.NEED_DATA and is_response and not is_ended:
                is_ended = True
                us.receive_data(b"")
                continue
            if event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
                return what, fields, body, "cut"
            if isinstance(event, h11.Request):
                what = (event.method.decode("latin-1"), event.target.decode("latin-1"))
                fields = len(event.headers)
            elif isinstance(event, h11.Response):
                what, fields = (str(event.status_code),), len(event.headers)
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return what, fields, body, "more" if us.trailing_data[0] else "whole"
    except h11.RemoteProtocolError as error:
        return what, fields, body, "refused:" + str(error)


def ask_http_parser(program, asked):
    lines = "".join(f"{m.kind} {m.method} {m.piece.hex()}\n" for m in asked)
    out = subprocess.run([program], input=lines.encode("latin-1"), stdout=subprocess.PIPE,
                         check=True).stdout.decode("latin-1").split("\n")
    for message, line in zip(asked, out):
        what, target, fields, body, how = line.rsplit(" ", 4) if message.kind == "q" else line.split(" ")
        yield ((what, target) if message.kind == "q" else (what,), int(fields),
               b"" if body == "-" else bytes.fromhex(body), how)


def compare(name, asked, answers):
    seen, wrong = collections.Counter(), 0
    for message, (what, fields, body, how) in zip(asked, answers):
        ours = (message.method, message.what) if message.kind == "q" else (message.what,)
        if (what, fields, body, how) == (ours, message.fields, message.body, "whole"):
            seen["same"] += 1
            continue
        reason = next((reason for reason, is_so in DIFFERENCES[name] if is_so(message, how)), None)
        if reason:
            seen[reason] += 1
            continue
        wrong += 1
        if wrong <= 10:
            print(f"{name} sees {what} {fields} {body} {how}\n  h1 {ours} {message.fields} {message.body}"
                  f"\n  in {message.piece}")
    for reason, _ in DIFFERENCES[name]:
        if seen[reason] == 0 and len(sys.argv) == 4:
            print(f"{name}: no message needs this any more: {reason}")
            wrong += 1
    print(f"{name}: " + ", ".join(f"{count} {reason}" for reason, count in sorted(seen.items())))
    return wrong


def main():
    program, parser, root = sys.argv[1:4]
    seed, count = (sys.argv[4:] + ["4", "60000"][len(sys.argv) - 4 :])[:2]
    with tempfile.TemporaryDirectory() as folder:
        asked = list(messages(program, [seed, count, *gather(root, folder)]))
    wrong = compare("h11", asked, map(ask_h11, asked))
    if parser == "-":
        skip("http_parser is not installed (libhttp-parser-dev)")
    wrong += compare("http_parser", asked, ask_http_parser(parser, asked))
    if len(asked) < int(count) / 3:
        print(f"only {len(asked)} messages were accepted")
        wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
