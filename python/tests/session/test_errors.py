"""Mistakes are InputError, with the sentence that the program prints."""

import pytest

import ptyle


def test_every_mistake_is_listed_at_once(scan):
    with pytest.raises(ptyle.InputError) as mistake:
        ptyle.Reconstruction(scan, {"solver.iterations": 0, "optics.enrgy": 300}, semi_angle="wide")
    text = str(mistake.value)
    assert text.startswith("the configuration has 3 faults\n")
    assert 'solver.iterations: 0 is' in text
    assert "optics.enrgy: there is no such key; the nearest is optics.energy" in text
    assert 'optics.semi_angle: wide is not a number' in text


def test_an_input_error_is_a_value_error(scan):
    assert issubclass(ptyle.InputError, ptyle.Error) and issubclass(ptyle.InputError, ValueError)
    with pytest.raises(ValueError):
        ptyle.Reconstruction(scan, energy=-1)


def test_a_fault_of_ours_is_none_of_the_users(scan):
    with pytest.raises(ptyle.Error, match="a fault of ptyle itself") as fault:
        ptyle.Reconstruction(scan)._run.field("nothing")
    assert not isinstance(fault.value, ptyle.InputError)


def test_a_name_that_several_keys_have_is_refused(scan):
    with pytest.raises(ptyle.InputError, match="step: several keys end so, give one of them whole: .*solver.step"):
        ptyle.Reconstruction(scan, step=1)


def test_a_section_may_be_a_mapping(scan):
    run = ptyle.Reconstruction(scan, solver={"iterations": 7}, probe={"modes": 3})
    assert "iterations: 7" in run.configuration and run.probe.shape[0] == 3


def test_none_is_the_default(scan):
    run = ptyle.Reconstruction(scan, {"solver.iterations": 7}, iterations=None)
    assert "iterations: 20" in run.configuration


@pytest.mark.parametrize("yaml, setting", [
    ("optics:\n  energy: high\n", None),
    ("data:\n  file: nowhere.h5\n", None),
    ("optics:\n  enrgy: 300\n  semi_angle: -1\n", None),
])
def test_a_file_gives_the_programs_sentence(tmp_path, run_program, yaml, setting):
    file = tmp_path / "run.yaml"
    file.write_text(yaml)
    with pytest.raises(ptyle.InputError) as mistake:
        ptyle.Reconstruction.from_yaml(file)
    said = run_program("reconstruct", "--check", file)
    assert said.returncode == 2
    assert said.stderr == f"ptyle: {mistake.value}\n"


def test_a_result_that_is_there_is_not_replaced(scan, tmp_path):
    run = ptyle.Reconstruction(scan, iterations=1).run()
    run.result.save(tmp_path / "a.h5")
    with pytest.raises(ptyle.InputError, match="a.h5"):
        run.result.save(tmp_path / "a.h5")
    run.result.save(tmp_path / "a.h5", overwrite=True)
    run.save(tmp_path / "out", pictures=False)
    with pytest.raises(ptyle.InputError, match="out"):
        run.save(tmp_path / "out")


def test_a_result_is_read_only_from_one(scan, tmp_path):
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(ptyle.InputError, match="text.h5"):
        ptyle.read_result(tmp_path / "text.h5")


def test_warnings_are_pythons(arrays, stated):
    with pytest.warns(UserWarning, match="counts"):
        ptyle.Reconstruction(ptyle.load(arrays[0] // 100, positions=arrays[1]), batches=64, **stated)
