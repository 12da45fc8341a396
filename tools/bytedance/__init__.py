"""ByteDance's published pretraining traces as telemetry: real jobs, of which it is known who is slow.

Source: ByteDance-Seed/StragglerAnalysis (Apache-2.0), the artifact of "Understanding Stragglers in Large Model
Training Using What-if Analysis", OSDI 2025. ``trace`` reads one, ``records`` makes ``guard.telemetry/1`` of it,
``noise`` measures what healthy ranks differ by.

What the traces are, measured on `AR` and `ST`:

* Their clock starts at 0 in every step, at the first operation of any rank; where a step lay in the run is not
  told. Steps come from four stretches of some 40 and are not all there: 44 of 1,223 in `AR`, 32 of 1,026 in `ST`.
* Compute operations of one rank do not overlap, save by 0.12 ms of rounding; sends and receives overlap each
  other, as they are posted together. Times have 4 µs of resolution at 46 s.
* ``optimizer-clip-main-grad`` is a collective, whatever its name: all ranks leave it together, and in `ST` it
  takes 0.01 s or 0.33 s by stage alone. The authors' dependency model makes all ranks meet in it as well.
* ``gc`` is there in every step, with length 0.
* Not all waiting is an operation: in `AR` three ranks of the last stage stand still for 22.5 s of a step, and
  those behind the straggler in its replica for 1 s to 2.5 s, mostly before ``layernorm-grads-all-reduce``.
  That time is in no section.
* Batches are nearly equal in both: steps of a rank differ from its peers' by 0.4 % to 0.6 %
  (``python -m tools.bytedance noise``), microbatches of a rank within a step by 1.3 % to 2.1 %. Unequal sequences
  are in the artifact's third trace, `SE`, which is not among them.
"""
