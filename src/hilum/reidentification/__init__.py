"""Re-identification: a result that was made of pseudonymous images gets its patient, study, references and dates back, or is held.

See docs/deidentification.md, The way back.
"""
