"""Jobs, leases and execution options: the state between a plan and its records. Imports no torch.

All state is in files under ``RESULTS/.work``, which git ignores, so that any worker on any machine that sees the folder
can continue where another one stopped. The report reads none of them::

    .work/jobs/EXPERIMENT/COHORT/   job.json, log.jsonl, progress.json, checkpoints
    .work/leases/RUN.N              the worker that is training a run; the highest number counts
    .work/sweeps/…json              the commands under way, for ``wganbench status``
"""
