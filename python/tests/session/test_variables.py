"""Variables that are objects in Python."""

import gc
import weakref

import numpy as np
import pytest

import ptyle
from small_run import SETTINGS

ONE_MODE = {**SETTINGS, "probe.modes": 1, "solver.precision": "double"}


class Descent(ptyle.Variable):
    """The fit's own step of the probe: half the mean gradient over W²."""

    def step(self, batch):
        assert batch.probe.shape == batch.probe_gradient.shape and not batch.refines_probe
        pixels = batch.probe.shape[-1] ** 2
        batch.probe[...] -= 0.5 * batch.probe_gradient / (pixels * batch.patterns)


class Counts(ptyle.Variable):
    """What it is called for."""

    def __init__(self, name):
        super().__init__()
        self.name = name
        self.numbers = {"batches": np.float32(0), "iterations": 0}
        self.seen = []

    def step(self, batch):
        self.numbers["batches"] += 1
        self.seen.append((batch.iteration, batch.number, batch.patterns))

    def end_iteration(self, batch):
        assert batch.probe_gradient is None
        self.numbers["iterations"] += 1


def test_a_descent_in_numpy_is_the_fits_own(scan):
    """Either step is rounded in its own order: 1e-16 of each value, and little more after 15 mini-batches."""
    own = ptyle.Reconstruction(scan, ONE_MODE, probe={"refine_from": 1}).run(iterations=3)
    python = ptyle.Reconstruction(scan, ONE_MODE, probe={"refine_from": 0}, variables=[Descent()]).run(iterations=3)
    held = ptyle.Reconstruction(scan, ONE_MODE, probe={"refine_from": 0}).run(iterations=3)
    largest = np.abs(own.probe).max()
    assert np.abs(held.probe - own.probe).max() > 1e-3 * largest
    assert np.abs(python.probe - own.probe).max() < 1e-12 * largest
    assert np.abs(python.object - own.object).max() < 1e-12 * np.abs(own.object).max()


@pytest.mark.parametrize("precision", ["float", "double"])
def test_it_comes_after_the_fits_own_step(scan, precision):
    class Watch(ptyle.Variable):
        def step(self, batch):
            seen.append((batch.refines_probe, batch.probe.copy()))

    seen = []
    settings = {**ONE_MODE, "solver.precision": precision, "probe.refine_from": 2}
    run = ptyle.Reconstruction(scan, settings, variables=[Watch()])
    run.run(iterations=2)
    assert [refined for refined, _ in seen] == [False] * 5 + [True] * 5
    assert seen[0][1].dtype == run.probe.dtype
    np.testing.assert_array_equal(seen[0][1], seen[4][1])
    np.testing.assert_array_equal(seen[-1][1], run.probe)
    assert np.abs(seen[5][1] - seen[4][1]).max() > 0


def test_it_is_called_in_every_mini_batch_and_iteration(scan):
    first, second = Counts("first"), Counts("second")
    run = ptyle.Reconstruction(scan, SETTINGS, variables=[first, second])
    run.run(iterations=3)
    assert first.numbers == second.numbers == {"batches": 15, "iterations": 3}
    assert [(i, n) for i, n, _ in first.seen] == [(i, n) for i in (1, 2, 3) for n in range(5)]
    assert sum(patterns for i, _, patterns in first.seen if i == 1) == 64


def test_its_numbers_are_in_checkpoints(scan, tmp_path):
    run = ptyle.Reconstruction(scan, SETTINGS, variables=[Counts("mine")])
    run.run(iterations=2)
    run.save_checkpoint(tmp_path)
    again = Counts("mine")
    resumed = ptyle.Reconstruction(scan, SETTINGS, variables=[again], resume=tmp_path)
    assert resumed.iteration == 2 and again.numbers == {"batches": 10, "iterations": 2}
    resumed.run(iterations=1)
    assert again.numbers == {"batches": 15, "iterations": 3}


def test_an_array_that_is_kept_cannot_be_written(scan):
    class Keeps(ptyle.Variable):
        def step(self, batch):
            with pytest.raises(ValueError, match="read-only"):
                batch.probe_gradient[...] = 0
            self.kept = batch.probe

    keeps = Keeps()
    ptyle.Reconstruction(scan, SETTINGS, variables=[keeps]).step()
    with pytest.raises(ValueError, match="read-only"):
        keeps.kept[...] = 0
    del keeps.kept


def test_its_error_is_the_runs(scan):
    class Fails(ptyle.Variable):
        def step(self, batch):
            raise ZeroDivisionError("no variable")

    class Forgets(ptyle.Variable):
        def __init__(self):
            super().__init__()
            self.numbers = {"x": 1.0}

        def step(self, batch):
            self.numbers = {"y": 1.0}

    with pytest.raises(ZeroDivisionError, match="no variable"):
        ptyle.Reconstruction(scan, SETTINGS, variables=[Fails()]).run()
    with pytest.raises(ptyle.InputError, match="Forgets: its number 'x' is gone"):
        ptyle.Reconstruction(scan, SETTINGS, variables=[Forgets()]).run()
    for wrong, match in ({"x": None}, "'x' has become no number"), (None, "are no dictionary"), \
            ({"x": 1, "z": 2}, "are more than when"):
        forgets = Forgets()
        forgets.step = lambda batch, wrong=wrong: setattr(forgets, "numbers", wrong)
        with pytest.raises(ptyle.InputError, match=match):
            ptyle.Reconstruction(scan, SETTINGS, variables=[forgets]).run()


def test_what_an_error_leaves_is_the_runs(scan):
    """The probe as far as it had come, for the operator too; and no array that can be written."""
    class Halves(ptyle.Variable):
        def step(self, batch):
            self.kept = batch.probe
            batch.probe[...] *= 0.5
            if self.fails:
                raise ZeroDivisionError("once")

    halves = Halves()
    halves.fails = True
    run = ptyle.Reconstruction(scan, {**ONE_MODE, "solver.batches": 1}, probe={"refine_from": 0}, variables=[halves])
    with pytest.raises(ZeroDivisionError):
        run.step()
    with pytest.raises(ValueError, match="read-only"):
        halves.kept[...] = 0
    halves.fails = False
    run.step()  # the rest of the first iteration
    cost = run.step().cost
    other = ptyle.Reconstruction(scan, {**ONE_MODE, "solver.batches": 1}, probe={"refine_from": 0})
    other.step()
    assert cost > 2 * other.step().cost  # of a probe with a quarter of the power


def test_what_is_no_variable_is_refused(scan):
    settings = {key: value for key, value in SETTINGS.items() if key != "solver.batches"}

    def refused(variables, match, **keys):
        with pytest.raises(ptyle.InputError, match=match):
            ptyle.Reconstruction(scan, settings, variables=variables, **keys)

    refused([lambda batch: None], "classes made of ptyle.Variable")
    refused([Descent(), Descent()], "two variables are called Descent")
    wrong = Counts("wrong")
    wrong.numbers["x"] = "many"
    refused([wrong], "variable wrong: numbers are floats by name; 'x': 'many'")
    refused([Counts("a.b")], "neither its name nor those of its numbers have a dot")
    refused([Counts("one")], "variable one: does not go with solver.rule: pie", rule="pie")


def test_an_object_is_let_go_of(scan):
    counts = Counts("mine")
    gone = weakref.ref(counts)
    run = ptyle.Reconstruction(scan, SETTINGS, variables=[counts])
    run.step()
    del run, counts
    gc.collect()
    assert gone() is None
