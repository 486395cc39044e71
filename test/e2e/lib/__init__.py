# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests stand on. Start with case.py: the `t` every test function gets."""
