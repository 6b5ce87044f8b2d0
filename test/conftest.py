# SPDX-License-Identifier: BSD-2-Clause
"""Options of the guest tests; here because pytest reads them only beside the folder it is given."""


def pytest_addoption(parser):
    parser.addoption("--kernels", default="vireo,linux",
                     help="which kernels the guest tests boot (comma list of vireo, linux)")
    parser.addoption("--guest-log", default=None, help="also write every console to this folder")
