"""A file of DAGs, however broken, is DAGs or problems, never an exception; it leaves nothing behind."""

from __future__ import annotations

import os
import pickle
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flowlet.registry.isolation import module_name
from flowlet.registry.loading import Loaded, Problem, load_file

Write = Callable[..., Path]

ONE_DAG = """\
from flowlet.authoring.dag import DAG
from flowlet.operators.empty import EmptyOperator

with DAG("etl") as dag:
    EmptyOperator(task_id="extract") >> EmptyOperator(task_id="load")
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str | bytes, name: str = "etl.py") -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return file

    return write


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> object:
    search_path = list(sys.path)
    yield
    assert sys.path == search_path


def ids(loaded: Loaded) -> list[str]:
    return [dag.dag_id for dag in loaded.dags]


def only(loaded: Loaded) -> Problem:
    assert loaded.dags == ()
    (problem,) = loaded.problems
    return problem


# -- what is found ---------------------------------------------------------------------------------------


def test_a_dag_with_its_place(write: Write) -> None:
    file = write(ONE_DAG)

    loaded = load_file(file)

    assert loaded.problems == ()
    assert ids(loaded) == ["etl"]
    assert (loaded.dags[0].spec.file, loaded.dags[0].spec.line) == (str(file), 4)


def test_dags_that_no_global_name_holds(write: Write) -> None:
    loaded = load_file(
        write(
            """\
from flowlet.authoring.dag import DAG

def build(name):
    with DAG(name):
        pass

for name in ("b", "a"):
    build(name)
"""
        )
    )

    assert ids(loaded) == ["b", "a"]


def test_a_dag_whose_block_is_opened_again_is_one(write: Write) -> None:
    file = write(
        """\
from flowlet.authoring.dag import DAG
with DAG("a") as a:
    pass
with DAG("b"):
    pass
with a:
    pass
"""
    )

    assert ids(load_file(file)) == ["a", "b"]


def test_a_dag_without_a_with_block(write: Write) -> None:
    assert ids(load_file(write("from flowlet.authoring.dag import DAG\nplain = DAG('plain')\n"))) == ["plain"]


def test_of_two_dags_with_one_id_in_one_file_the_later_wins(write: Write) -> None:
    file = write(
        """\
from flowlet.authoring.dag import DAG
first = DAG("etl", description="first")
second = DAG("etl", description="second")
"""
    )

    assert [dag.description for dag in load_file(file).dags] == ["second"]


def test_the_main_block_does_not_run(write: Write) -> None:
    assert ids(load_file(write(ONE_DAG + '\nif __name__ == "__main__":\n    raise SystemExit(3)\n'))) == [
        "etl"
    ]


def test_a_byte_order_mark_is_no_error(write: Write) -> None:
    assert ids(load_file(write(b"\xef\xbb\xbf" + ONE_DAG.encode()))) == ["etl"]


def test_a_declared_encoding_is_read(write: Write) -> None:
    text = ONE_DAG.replace('DAG("etl")', 'DAG("etl", description="Zürich")')

    loaded = load_file(write(b"# -*- coding: latin-1 -*-\n" + text.encode("latin-1")))

    assert [dag.description for dag in loaded.dags] == ["Zürich"]


def test_warnings_are_told_and_are_no_errors(write: Write) -> None:
    file = write(
        "import warnings\nwarnings.warn('old ways', DeprecationWarning)\npattern = '\\d'\n" + ONE_DAG
    )

    loaded = load_file(file)

    assert ids(loaded) == ["etl"]
    assert loaded.warnings == (f"{file}:2: DeprecationWarning: old ways",)


# -- isolation -------------------------------------------------------------------------------------------


def test_the_module_is_not_importable_under_its_stem(write: Write) -> None:
    load_file(write(ONE_DAG, "quite_particular.py"))

    assert "quite_particular" not in sys.modules


def test_what_looks_up_modules_by_name_works(write: Write) -> None:
    loaded = load_file(
        write(
            """\
from __future__ import annotations
import dataclasses, inspect, pickle

@dataclasses.dataclass
class Row:
    day: str
    kinds: dataclasses.InitVar[int] = 0

assert "class Row" in inspect.getsource(Row)
text = pickle.dumps(Row("monday"))
"""
            + ONE_DAG
        )
    )

    assert loaded.problems == ()
    module = sys.modules[module_name(Path(loaded.file))]
    assert pickle.loads(module.text) == module.Row("monday")


def test_modules_beside_the_file_are_importable(write: Write) -> None:
    write("WORD = 'beside'\n", "beside_it.py")

    assert ids(load_file(write("from beside_it import WORD\n" + ONE_DAG))) == ["etl"]


def test_modules_of_one_folder_do_not_stand_in_for_those_of_another(write: Write) -> None:
    text = "from flowlet.authoring.dag import DAG\nfrom shared_words import WORD\ndag = DAG(WORD)\n"
    for word in ("one", "two"):
        write(f"WORD = {word!r}\n", f"{word}/shared_words.py")

    first, second = (load_file(write(text, f"{word}/dags.py")) for word in ("one", "two"))
    again = load_file(Path(first.file))

    assert (ids(first), ids(second), ids(again)) == (["one"], ["two"], ["one"])


def test_files_of_one_stem_never_meet(write: Write) -> None:
    text = "from flowlet.authoring.dag import DAG\nNAME = {0!r}\ndag = DAG(NAME)\n"

    loaded = [load_file(write(text.format(word), f"{word}/dags.py")) for word in ("one", "two")]

    assert [sys.modules[module_name(Path(one.file))].NAME for one in loaded] == ["one", "two"]


def test_a_failed_load_leaves_no_module_and_keeps_the_earlier_one(write: Write) -> None:
    write("", "beside_broken.py")
    broken = "import beside_broken\n1 / 0\n"
    never = load_file(write(broken, "never.py"))
    once = write(ONE_DAG, "once.py")
    load_file(once)
    module = sys.modules[module_name(once)]
    load_file(write(broken, "once.py"))

    assert module_name(Path(never.file)) not in sys.modules
    assert sys.modules[module_name(once)] is module
    assert "beside_broken" not in sys.modules


def test_an_open_dag_does_not_leak_into_the_next_file(write: Write) -> None:
    load_file(write("from flowlet.authoring.dag import DAG\nDAG('open').__enter__()\n1 / 0\n", "a.py"))

    from flowlet.authoring.stack import current_dag

    assert current_dag() is None


# -- what is wrong with its code -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "kind", "words"),
    [
        ("x = 1\ndef broken(:\n", 2, "SyntaxError", "invalid syntax"),
        ("x = 1\n  y = 2\n", 2, "IndentationError", "unexpected indent"),
        ("\n\nimport no_such_module_anywhere\n", 3, "ModuleNotFoundError", "no_such_module_anywhere"),
        ("def f():\n    return 1 / 0\n\nf()\n", 2, "ZeroDivisionError", "division by zero"),
        ("import json\n\njson.loads('{')\n", 3, "JSONDecodeError", "Expecting property name"),
        ("import sys\nsys.exit(3)\n", 2, "SystemExit", "exit status 3"),
        ("raise KeyboardInterrupt\n", 1, "KeyboardInterrupt", "interrupted"),
        ("raise GeneratorExit\n", 1, "GeneratorExit", ""),
        ("x = 1\n", 1, "NoDag", "describes no DAG"),
        ("", 1, "NoDag", "describes no DAG"),
        (
            "class E(Exception):\n    def __str__(self): raise ValueError\n\nraise E\n",
            4,
            "E",
            "__str__ raises",
        ),
        ("raise ValueError('x' * 10**6)\n", 1, "ValueError", "xxx ..."),
        ("x = " + "(" * 5000, 1, None, ""),
    ],
)
def test_an_error_in_the_code_is_a_value(
    write: Write, text: str, line: int, kind: str | None, words: str
) -> None:
    file = write(text)

    problem = only(load_file(file))

    assert (problem.file, problem.line) == (str(file), line)
    assert kind is None or problem.kind == kind
    assert words in problem.text
    assert len(problem.text) < 2_100


def test_an_error_beside_the_file_names_both_places(write: Write) -> None:
    beside = write("x = (\n", "broken_beside.py")

    problem = only(load_file(write("import json\nimport broken_beside\n")))

    assert problem.line == 2
    assert f"{beside}:1" in problem.text


def test_a_wrong_dag_is_a_value_too(write: Write) -> None:
    problem = only(load_file(write("from flowlet.authoring.dag import DAG\n\nDAG('no spaces allowed')\n")))

    assert (problem.line, problem.kind) == (3, "DagError")
    assert "no spaces allowed" in problem.text


def test_bytes_that_are_no_text(write: Write) -> None:
    problem = only(load_file(write(b"x = 1\nname = '\xff\xfe'\n")))

    assert problem.kind == "SyntaxError"
    assert "utf-8" in problem.text


def test_null_bytes(write: Write) -> None:
    assert "null bytes" in only(load_file(write(b"x = 1\0\n"))).text


def test_a_file_that_does_not_end_is_interrupted(write: Write) -> None:
    text = "while True:\n    try:\n        x = 1\n    except Exception:\n        pass\n"

    problem = only(load_file(write(text), timeout=0.05))

    assert problem.kind == "Timeout"
    assert "took longer than 0.05 s" in problem.text


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_only_one_process_comes_out_of_a_file_that_forks(write: Write) -> None:
    assert ids(
        load_file(write("import os\nchild = os.fork()\nif child: os.waitpid(child, 0)\n" + ONE_DAG))
    ) == ["etl"]


# -- what is no file -------------------------------------------------------------------------------------


def test_a_missing_file(tmp_path: Path) -> None:
    assert only(load_file(tmp_path / "none.py")).text == "none.py does not exist"


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "folder.py").mkdir()

    assert "is a folder" in only(load_file(tmp_path / "folder.py")).text


def test_a_broken_link(tmp_path: Path) -> None:
    (tmp_path / "link.py").symlink_to("gone.py")

    assert "link to gone.py, which does not exist" in only(load_file(tmp_path / "link.py")).text


def test_a_link_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "link.py").symlink_to("link.py")

    assert "cannot be opened" in only(load_file(tmp_path / "link.py")).text


def test_a_named_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")

    assert "is a named pipe" in only(load_file(tmp_path / "pipe.py")).text


def test_a_device() -> None:
    assert "is a device" in only(load_file("/dev/zero")).text


def test_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.py")

        assert "is a socket" in only(load_file("socket.py")).text


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    file = tmp_path / "large.py"
    with file.open("wb") as out:
        out.truncate(100 * 1024 * 1024)

    assert "has 104,857,600 bytes" in only(load_file(file)).text


def test_a_path_that_no_file_can_have() -> None:
    assert only(load_file("etl\0.py")).kind == "ValueError"
