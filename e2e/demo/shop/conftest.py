"""Lets the tests import the package from a checkout."""
