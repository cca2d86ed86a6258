"""Regularisers that are functions in Python."""

import gc
import weakref

import numpy as np
import pytest

import ptyle
from small_run import SETTINGS

SHARE = 0.1


def shrink(phase, absorption):
    phase *= 1 - SHARE
    if absorption is not None:
        absorption *= 1 - SHARE


shrink.reach = 0


@pytest.mark.parametrize("precision", ["float", "double"])
def test_it_changes_the_object_after_each_iteration(scan, precision):
    seen = []

    def watch(phase, absorption):
        seen.append((phase.copy(), absorption.copy()))

    plain = ptyle.Reconstruction(scan, SETTINGS, precision=precision)
    run = ptyle.Reconstruction(scan, SETTINGS, precision=precision, regularisers=[watch, shrink, watch])
    plain.step()
    run.step()
    assert len(seen) == 2 and seen[0][0].dtype == run.object.dtype
    for i, name in enumerate(["object", "absorption"]):
        now, before = getattr(run, name), getattr(plain, name)
        np.testing.assert_array_equal(seen[0][i], before)
        np.testing.assert_array_equal(seen[1][i], now)
        np.testing.assert_allclose(now, before * (1 - SHARE), rtol=1e-6)
        assert np.abs(now).max() > 0
    assert run.run(iterations=2).iteration == 3 and len(seen) == 6


def test_a_blur_in_numpy_is_the_fits_own(scan):
    """object.blur_z by its own key, and as a function."""
    def blur_z(phase, absorption):
        for volume in phase, absorption:
            if volume is not None:
                weights = np.exp(-0.5 * (np.arange(-4, 5) / sigma) ** 2)
                z = len(volume)
                matrix = np.zeros((z, z))
                for i in range(z):
                    for k, w in zip(range(-4, 5), weights):
                        matrix[i, min(max(i + k, 0), z - 1)] += w / weights.sum()
                volume[...] = np.tensordot(matrix, volume.copy(), 1)

    sigma = 1.0
    settings = {**SETTINGS, "solver.iterations": 1, "solver.precision": "double"}
    own = ptyle.Reconstruction(scan, settings, blur_z=sigma).run()
    python = ptyle.Reconstruction(scan, settings, regularisers=[blur_z]).run()
    plain = ptyle.Reconstruction(scan, settings).run()
    apart = np.abs(own.object - python.object).max() / np.abs(own.object).max()
    # Either takes weights and ends in its own way; without it the difference is far larger.
    assert apart < 0.1 * np.abs(own.object - plain.object).max() / np.abs(own.object).max(), apart


def test_an_array_that_is_kept_cannot_be_written(scan):
    kept = []
    run = ptyle.Reconstruction(scan, SETTINGS, regularisers=[lambda phase, absorption: kept.append(phase)])
    run.step()
    with pytest.raises(ValueError, match="read-only"):
        kept[0][...] = 0
    kept.clear()


def test_its_error_is_the_runs(scan):
    def fail(phase, absorption):
        raise ZeroDivisionError("no regulariser")

    run = ptyle.Reconstruction(scan, SETTINGS, regularisers=[fail])
    with pytest.raises(ZeroDivisionError, match="no regulariser"):
        run.run()
    with pytest.raises(ptyle.InputError, match="functions f"):
        ptyle.Reconstruction(scan, SETTINGS, regularisers=[3])


def test_a_function_is_let_go_of(scan):
    class Function:
        def __call__(self, phase, absorption):
            pass

    function = Function()
    gone = weakref.ref(function)
    run = ptyle.Reconstruction(scan, SETTINGS, regularisers=[function])
    run.step()
    del run, function
    gc.collect()
    assert gone() is None
