"""What lies between a plan and its records: jobs, leases, and how to execute them; no torch.

Everything here is a file under ``RESULTS/.work``, which git ignores, so that any worker on any machine that sees the
folder can go on where another one stopped. Nothing of it is read by the report::

    .work/jobs/EXPERIMENT/COHORT/   job.json, log.jsonl, progress.json, checkpoints
    .work/leases/RUN.N              who trains a run just now; the highest number counts
    .work/sweeps/…json              the commands under way, for ``wganbench status``
"""
