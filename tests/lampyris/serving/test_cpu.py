"""The key that says which CPU this is."""

import subprocess
import sys

import onnxruntime
import pytest

from lampyris.serving.cpu import Cpu, cpu_of, this_cpu

X86 = """processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 106
model name\t: Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz
stepping\t: 6
microcode\t: 0xd0003d1
cpu MHz\t\t: 2899.998
flags\t\t: fpu vme sse4_2 avx avx2 avx512f avx512_vnni
bogomips\t: 5799.99"""
ARM = """processor\t: 0
BogoMIPS\t: 243.75
Features\t: fp asimd evtstrm aes asimdhp asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0c
CPU revision\t: 1"""


def read(processor: str, *, machine: str = "x86_64", onnxruntime: str = "1.31.1") -> Cpu:
    cpu = cpu_of(processor, machine=machine, onnxruntime=onnxruntime)
    assert cpu is not None
    return cpu


@pytest.mark.parametrize(
    ("was", "is_now"),
    [
        ("processor\t: 0", "processor\t: 3"),
        ("cpu MHz\t\t: 2899.998", "cpu MHz\t\t: 3500.117"),
        ("microcode\t: 0xd0003d1", "microcode\t: 0xd0003f5"),
        ("bogomips\t: 5799.99", "bogomips\t: 5800.12"),
        ("fpu vme", "vme fpu"),
    ],
)
def test_equal_cpus_have_equal_keys(was: str, is_now: str) -> None:
    assert read(X86.replace(was, is_now)).key == read(X86).key


@pytest.mark.parametrize(
    ("was", "is_now"),
    [
        (" avx512f", ""),
        ("avx512_vnni", "avx512_vnni amx_tile"),
        ("model\t\t: 106", "model\t\t: 143"),
        ("cpu family\t: 6", "cpu family\t: 25"),
        ("GenuineIntel", "AuthenticAMD"),
    ],
)
def test_cpus_that_can_do_other_things_have_other_keys(was: str, is_now: str) -> None:
    assert read(X86.replace(was, is_now)).key != read(X86).key


@pytest.mark.parametrize(
    ("was", "is_now"), [("0xd0c", "0xd40"), (" asimddp", ""), ("variant\t: 0x3", "variant\t: 0x1")]
)
def test_arm_cpus_are_told_apart_too(was: str, is_now: str) -> None:
    graviton = read(ARM, machine="aarch64")

    assert read(ARM.replace(was, is_now), machine="aarch64").key != graviton.key
    assert read(ARM.replace("revision\t: 1", "revision\t: 2"), machine="aarch64").key == graviton.key


def test_key_is_of_one_architecture_and_one_onnxruntime() -> None:
    keys = {
        read(X86).key,
        read(X86, machine="i686").key,
        read(X86, onnxruntime="1.32.0").key,
    }

    assert len(keys) == 3


def test_name_is_for_people() -> None:
    assert read(X86).name == "x86_64, Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz"
    assert "CPU part 0xd0c" in read(ARM, machine="aarch64").name


@pytest.mark.parametrize("processor", ["", "processor\t: 0\nmodel name\t: a CPU", "flags\t\t:"])
def test_cpu_of_which_nothing_is_told_has_no_key(processor: str) -> None:
    assert cpu_of(processor, machine="x86_64", onnxruntime="1.31.1") is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_this_cpu_is_the_same_each_time_and_names_the_installed_onnxruntime() -> None:
    code = "import sys; from lampyris.serving.cpu import this_cpu; print(this_cpu().key, *sys.modules)"

    other = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout

    cpu = this_cpu()
    assert cpu is not None
    assert other.split()[0] == cpu.key
    assert cpu.onnxruntime == onnxruntime.__version__
    assert not {"onnxruntime", "numpy", "pathlib", "importlib.metadata"} & set(other.split())
