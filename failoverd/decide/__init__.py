"""Snapshot, history and policy in, verdict out: tables of rules, refusals and obstacles, each row with its sentence."""
