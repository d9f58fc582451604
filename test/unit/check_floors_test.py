"""tools/check-floors on made-up trees."""

import pathlib
import subprocess

import pytest

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "check-floors"

GOOD = {
    "base/span.h": "#pragma once\ntypedef struct Span { const void *data; } Span;\n",
    "base/internal.h": "#pragma once\n",
    "base/span.c": '#include "base/span.h"\n#include "base/internal.h"\n\n#include <string.h>\n',
    "net/stream.h": '#pragma once\n#include "base/span.h"\nSpan stream_read(void);\n',
    "net/stream.c": '#include "net/stream.h"\n#include <net/if.h>\n',
    "store/store.c": '#include "net/stream.h"\n#include "base/span.h"\n',
}


def check(tmp_path, files, *arguments):
    for name, text in {**GOOD, **files}.items():
        path = tmp_path / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return subprocess.run([TOOL, *arguments, tmp_path], capture_output=True, text=True, check=False)


def test_a_house_in_order(tmp_path):
    ran = check(tmp_path, {})
    assert (ran.returncode, ran.stdout) == (0, "check-floors: 6 files, ok\n")


@pytest.mark.parametrize("name, text, where, why", [
    ("base/up.c", '#include "base/span.h"\n\n#include "net/stream.h"\n', "src/base/up.c:3:", "only lower floors"),
    ("store/side.c", '#include "queue/queue.h"\n', "src/store/side.c:1:", "only lower floors"),
    ("store/side.h", ' # include "queue/queue.h" /* why */\n', "src/store/side.h:1:", "only lower floors"),
    ("smtp/a_test.c", '#include "relay/relay.h"\n', "src/smtp/a_test.c:1:", "only lower floors"),
    ("net/steal.c", '#include "base/internal.h"\n', "src/net/steal.c:1:", "private to base"),
    ("net/short.c", '#include "stream.h"\n', "src/net/short.c:1:", 'not written as "room/header.h"'),
    ("net/dots.c", '#include "../base/span.h"\n', "src/net/dots.c:1:", 'not written as "room/header.h"'),
    ("net/dots.c", '#include "base/../app/main.h"\n', "src/net/dots.c:1:", 'not written as "room/header.h"'),
    ("net/odd.c", '#include "cellar/wine.h"\n', "src/net/odd.c:1:", "in no room"),
    ("net/angle.c", "#include <base/span.h>\n", "src/net/angle.c:1:", "written with quotes"),
    ("net/macro.c", "#include HEADER\n", "src/net/macro.c:1:", "not named"),
    ("cellar/wine.c", "\n", "src/cellar/wine.c:1:", "on no floor"),
    ("net/after.c", 'const char *all = "*/*";\nconst char *text = "text/*";\n#include "app/main.h"\n',
     "src/net/after.c:3:", "only lower floors"),
    ("net/after.c", '/* three\n * lines\n */\n#include "app/main.h"\n', "src/net/after.c:4:", "only lower floors"),
])
def test_what_is_wrong_is_named(tmp_path, name, text, where, why):
    ran = check(tmp_path, {name: text})
    assert ran.returncode == 1
    wrong = ran.stdout.splitlines()
    assert len(wrong) == 2
    assert wrong[0].startswith(where) and why in wrong[0]
    assert wrong[1] == "check-floors: 7 files, 1 wrong"


def test_comments_include_nothing(tmp_path):
    ran = check(tmp_path, {"base/old.c": '// #include "app/main.h"\n/*\n#include "app/main.h"\n*/\n'})
    assert ran.returncode == 0


def test_headers_compile_alone(tmp_path):
    assert check(tmp_path, {}, "--headers").returncode == 0
    leaning = {"net/leaning.h": "#pragma once\nSpan leaning_read(void);\n", "net/internal.h": "Span private_read(void);\n"}
    assert check(tmp_path, leaning).returncode == 0
    ran = check(tmp_path, leaning, "--headers")
    assert ran.returncode == 1
    assert ran.stdout.startswith("src/net/leaning.h:1: does not compile alone:")
    assert "internal.h" not in ran.stdout


def test_nothing_to_read_is_no_success(tmp_path):
    ran = subprocess.run([TOOL, tmp_path], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert subprocess.run([TOOL, "--what"], capture_output=True, check=False).returncode == 2
