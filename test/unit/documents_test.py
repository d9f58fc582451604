"""What the documents promise about the code."""
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_every_named_lock_stands_in_the_table():
    document = (ROOT / "doc/locks.md").read_text()
    for path in (ROOT / "src").glob("*/*.c"):
        if path.name.endswith("_test.c"):
            continue
        for name in re.findall(r'mutex_init\([^,;]+, "([^"]+)"\)|MUTEX_STATIC\("([^"]+)"\)', path.read_text()):
            assert f"`{name[0] or name[1]}`" in document, f"{path}: {name}"


def test_every_room_stands_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    for room in (ROOT / "src").iterdir():
        if room.is_dir():
            assert f"(src/{room.name})" in readme, room.name


def test_every_test_that_a_document_names_is_there():
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout
    for document in ("doc/rfc.md", "doc/in-the-wild.md"):
        for name in re.findall(r"`((?:src|test)/[\w/.-]+)`", (ROOT / document).read_text()):
            assert name in files or (ROOT / name).exists(), f"{document}: {name}"
