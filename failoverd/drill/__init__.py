"""Rehearsals: a runbook is carried out, measured, judged and told."""
