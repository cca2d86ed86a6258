"""simulate, compare, plan, and how things show themselves."""

import io

import numpy as np
import pytest

import ptyle
from ptyle import display
from small_run import RECIPE, SETTINGS


def test_a_result_is_compared_with_the_truth(scan, tmp_path, run_program):
    run = ptyle.Reconstruction(scan, SETTINGS).run()
    found = ptyle.compare(run, scan)
    run.result.save(tmp_path / "result.h5")
    said = run_program("compare", tmp_path / "result.h5", scan.file, "--print-only").stdout.splitlines()
    assert said == found.lines
    assert found.result.shape == found.reference.shape and 0 < found.summed.ssim < 1
    assert ptyle.compare(scan, scan).summed.rmse == 0
    with pytest.raises(ptyle.InputError, match="no ground truth"):
        ptyle.compare(run, ptyle.load(np.ones((4, 8, 8))))


def test_a_recipe_needs_an_output(tmp_path):
    with pytest.raises(ptyle.InputError, match="output: must be given"):
        ptyle.simulate(RECIPE)
    stages = []
    data = ptyle.simulate(RECIPE, scan={**RECIPE["scan"], "shape": [2, 2]}, output=tmp_path / "a.h5",
                          progress=lambda stage, done, total: stages.append((stage, done, total)))
    assert len(data) == 4 and ("patterns", 4, 4) in stages


def test_a_plan_is_made(scan):
    plans = ptyle.plan(scan, SETTINGS, ranks=[1, 2], seconds_per_position=0.01)
    assert [p.ranks for p in plans] == [1, 2]
    assert plans[0].seconds > plans[1].seconds > 0 and plans[0].memory > 0 and not plans[0].refused


def test_a_png_shows_the_image():
    image = np.arange(12.0).reshape(3, 4)
    pixels = np.asarray(pytest.importorskip("PIL.Image").open(io.BytesIO(display.png(image))))
    assert pixels.dtype == np.uint8 and pixels.shape == (3 * 64, 4 * 64)  # enlarged to 256
    assert (np.diff(pixels[0, ::64].astype(int)) > 0).all() and (np.diff(pixels[::64, 0].astype(int)) > 0).all()
    assert pixels.min() == 0 and pixels.max() == 255
    for odd in np.full((2, 2), 3.0), np.array([[np.nan, np.inf], [0, 1]]):
        display.png(odd)


def test_things_show_themselves(scan):
    run = ptyle.Reconstruction(scan, SETTINGS).run()
    for thing in scan, run, scan.inspect(), scan.quick_look(), run.result:
        html = thing._repr_html_()
        assert "data:image/png;base64,iVBOR" in html and "<pre>" in html
    assert "iteration 4 of 4" in repr(run) and "2 slices" in repr(run)
    assert "64" in repr(scan) or "8 x 8" in repr(scan)


def test_a_live_plot_draws(scan, tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    plot = ptyle.LivePlot(save=tmp_path / "plot.png")
    run = ptyle.Reconstruction(scan, SETTINGS).run(callbacks=[plot])
    assert (tmp_path / "plot.png").stat().st_size > 5000
    np.testing.assert_array_equal(plot._image.get_array(), run.object.sum(axis=0))
    assert list(plot._curve.get_ydata()) == list(run.history["r_factor"])
