"""A run from Python is the program's run, bit by bit; its arrays are the fit's own."""

import _thread
import gc
import signal
import threading
import time

import h5py
import numpy as np
import pytest

import ptyle
from small_run import SETTINGS


def arrays_of(path):
    """All arrays of a result file but the times."""
    found = {}

    def add(name, item):
        if isinstance(item, h5py.Dataset) and "seconds" not in name and not name.startswith("ranks"):
            found[name] = item[()]

    with h5py.File(path) as file:
        file.visititems(add)
    return found


def expect_same_files(one, other):
    a, b = arrays_of(one), arrays_of(other)
    assert a.keys() == b.keys() and {"object/phase", "probe", "positions", "history/cost"} <= a.keys()
    for name in a:
        assert a[name].dtype == b[name].dtype
        assert a[name].tobytes() == b[name].tobytes(), name


@pytest.fixture(scope="module")
def by_program(scan, tmp_path_factory):
    """The program's result of the scan, and its configuration."""
    import subprocess

    import ptyle_program

    folder = tmp_path_factory.mktemp("program")
    (folder / "run.yaml").write_text(f"data:\n  file: {scan.file}\n")
    settings = [f"--set={key}={value}" for key, value in SETTINGS.items()]
    subprocess.run([ptyle_program.program(), "reconstruct", folder / "run.yaml", *settings], check=True,
                   capture_output=True, timeout=300)
    return folder


def test_keys_by_python_give_the_programs_numbers(scan, by_program, tmp_path):
    run = ptyle.Reconstruction(scan, SETTINGS).run()
    run.save(tmp_path / "out")
    expect_same_files(tmp_path / "out" / "result.h5", by_program / "run" / "result.h5")
    run.result.save(tmp_path / "alone.h5")
    expect_same_files(tmp_path / "alone.h5", by_program / "run" / "result.h5")


def test_a_yaml_file_gives_them(by_program, tmp_path):
    run = ptyle.Reconstruction.from_yaml(by_program / "run.yaml", set=SETTINGS).run()
    run.save(tmp_path / "out", pictures=False, tiff=False)
    expect_same_files(tmp_path / "out" / "result.h5", by_program / "run" / "result.h5")


def test_arrays_in_memory_give_them(arrays, stated, by_program, tmp_path):
    run = ptyle.Reconstruction(ptyle.load(arrays[0], positions=arrays[1]), SETTINGS, **stated)
    run.run().save(tmp_path / "out", pictures=False, tiff=False)
    a, b = arrays_of(tmp_path / "out" / "result.h5"), arrays_of(by_program / "run" / "result.h5")
    for name in "object/phase", "probe", "positions", "history/cost":
        assert a[name].tobytes() == b[name].tobytes(), name


def test_iterations_may_be_asked_for_in_parts(scan, by_program):
    run = ptyle.Reconstruction(scan, SETTINGS)
    assert run.run(iterations=1).iteration == 1
    assert run.run(iterations=3).iteration == 4 and run.finished
    result = ptyle.read_result(by_program / "run")
    assert run.gather().phase.tobytes() == result.phase.tobytes()
    assert "iterations: 4" in run.result.config
    assert run.run(iterations=2).iteration == 6
    assert "iterations: 6" in run.result.config and list(run.history) == list(result.history)


@pytest.mark.parametrize("precision, real, waves", [("float", "f4", "c8"), ("double", "f8", "c16")])
def test_object_probe_and_positions_are_views(scan, precision, real, waves):
    run = ptyle.Reconstruction(scan, SETTINGS, precision=precision)
    run.step()
    for name, dtype in ("object", real), ("absorption", real), ("probe", waves), ("positions", "f8"):
        view, again = getattr(run, name), getattr(run, name)
        assert view.dtype == dtype
        assert view.ctypes.data == again.ctypes.data and np.shares_memory(view, again), name
        with pytest.raises(ValueError, match="read-only"):
            view[...] = 0
    whole = run.gather()
    np.testing.assert_array_equal(run.object.astype("f4"), whole.phase[(slice(None), *run.box)])
    np.testing.assert_array_equal(run.absorption.astype("f4"), whole.absorption[(slice(None), *run.box)])
    np.testing.assert_array_equal(run.positions, run.result.positions)
    assert run.object.shape[0] == 2 and run.probe.shape == (2, 32, 32)


def test_a_view_keeps_its_run_alive(scan):
    run = ptyle.Reconstruction(scan, SETTINGS)
    run.step()
    view, copy = run.object, run.object.copy()
    del run
    gc.collect()
    np.testing.assert_array_equal(view, copy)


def test_positions_are_always_the_same_array(scan):
    run = ptyle.Reconstruction(scan, SETTINGS)
    before = run.positions
    run.run()
    assert run.positions.ctypes.data == before.ctypes.data


def test_absorption_that_is_not_fitted_is_none(scan):
    run = ptyle.Reconstruction(scan, SETTINGS, object={"type": "potential"})
    assert run.absorption is None and run.gather().absorption is None and run.result.absorption is None


def test_callbacks_are_called_after_each_iteration(scan):
    seen = []
    run = ptyle.Reconstruction(scan, SETTINGS)
    run.run(callbacks=[lambda r, p: seen.append((r is run, p.iteration, p.cost, p.r_factor))])
    assert [s[:2] for s in seen] == [(True, i) for i in (1, 2, 3, 4)]
    assert [s[2] for s in seen] == list(run.history["cost"])
    assert [s[3] for s in seen] == list(run.history["r_factor"])


def test_a_callback_may_end_the_run_or_fail(scan):
    run = ptyle.Reconstruction(scan, SETTINGS).run(callbacks=[lambda r, p: p.iteration == 2])
    assert run.iteration == 2 and not run.finished

    def fail(run, progress):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run.run(callbacks=[fail])
    assert run.iteration == 3
    assert run.run().finished


def test_the_lock_is_released(scan):
    """Another thread counts while the fit computes."""
    run = ptyle.Reconstruction(scan, SETTINGS, threads=1)
    counted, over = [], threading.Event()
    thread = threading.Thread(target=lambda: [counted.append(time.sleep(0.001)) for _ in iter(over.is_set, True)])
    thread.start()
    before = len(counted)
    run._run.iterations = 50
    run._run.step()
    during = len(counted) - before
    over.set()
    thread.join()
    assert during > 0


@pytest.fixture
def ctrl_c():
    """Presses it after so many seconds."""
    # A shell starts what runs in the background with Ctrl-C ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda seconds: threading.Timer(seconds, _thread.interrupt_main).start()
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_between_mini_batches(scan, ctrl_c):
    run = ptyle.Reconstruction(scan, SETTINGS)
    ctrl_c(0.3)
    with pytest.raises(KeyboardInterrupt):
        run.run(iterations=2000)
    assert run.iteration < 2000
    # The interrupted run goes on as if nothing had been.
    run.run(iterations=2)
    straight = ptyle.Reconstruction(scan, SETTINGS).run(iterations=run.iteration)
    assert run.gather().phase.tobytes() == straight.gather().phase.tobytes()


def test_a_checkpoint_is_resumed_by_the_program(scan, by_program, tmp_path, run_program):
    run = ptyle.Reconstruction(scan, SETTINGS).run(iterations=2)
    run.save_checkpoint(tmp_path / "run")
    settings = [f"--set={key}={value}" for key, value in SETTINGS.items()]
    done = run_program("reconstruct", by_program / "run.yaml", *settings, "--set", f"output.folder={tmp_path / 'run'}",
                       "--resume")
    assert done.returncode == 0, done.stderr
    a, b = arrays_of(tmp_path / "run" / "result.h5"), arrays_of(by_program / "run" / "result.h5")
    assert a["object/phase"].tobytes() == b["object/phase"].tobytes()
