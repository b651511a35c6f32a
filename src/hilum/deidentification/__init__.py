"""De-identification: an object, a profile and a project's key in, the same object without its identity out.

See docs/deidentification.md.
"""
