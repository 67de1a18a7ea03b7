"""What pyproject.toml cannot say: the kernel of the hash index, compiled where it can be.

One wheel serves every Python from 3.12 on (the limited API). Where there is no compiler the
kernel is left out, and NumPy does its work: slower, with the same answers; `protech doctor`
says which one runs.
"""

from setuptools import Extension, setup

LIMITED_API = "0x030C0000"

KERNEL = Extension(
    "protech.lists._mih",
    sources=["native/mih.c"],
    depends=["native/bands.h", "native/distance.h", "native/seal.h", "native/search.h"],
    optional=True,
    py_limited_api=True,
    define_macros=[("Py_LIMITED_API", LIMITED_API), ("_POSIX_C_SOURCE", "200809L")],
    extra_compile_args=[
        "-std=c11",
        "-O3",
        "-Wall",
        "-Wextra",
        "-fvisibility=hidden",
        "-fstack-protector-strong",
        "-U_FORTIFY_SOURCE",
        "-D_FORTIFY_SOURCE=2",
    ],
    extra_link_args=["-Wl,-z,relro,-z,now", "-Wl,-z,noexecstack"],
)

setup(ext_modules=[KERNEL], options={"bdist_wheel": {"py_limited_api": "cp312"}})
