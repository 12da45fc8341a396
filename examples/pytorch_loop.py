"""A PyTorch-style loop that tells guard where each rank spends its time.

    torchrun --nproc-per-node=2 examples/pytorch_loop.py

Runs on CPUs with gloo; on Trainium the shape is the same. The gradients are reduced by hand so that the wait for
other ranks is a section of its own: under DistributedDataParallel it hides in ``backward``.
"""

import torch
import torch.distributed as dist

from guard import steps

STEPS = 200
BATCH = 64


def reduce_gradients(model: torch.nn.Module) -> None:
    for parameter in model.parameters():
        if parameter.grad is not None:
            dist.all_reduce(parameter.grad)
            parameter.grad /= dist.get_world_size()


def main() -> None:
    dist.init_process_group("gloo")
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(512, 512), torch.nn.ReLU(), torch.nn.Linear(512, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)

    # On a CPU a section ends when its work has ended. On a device say so only if you synchronise at section ends.
    recorder = steps.open(synced=True)
    recorder.resumed(0)
    for number in range(STEPS):
        with recorder.step(number, work=BATCH):
            with recorder.section("data"):
                inputs, targets = torch.randn(BATCH, 512), torch.randn(BATCH, 1)
            with recorder.section("compute"):
                optimizer.zero_grad()
                torch.nn.functional.mse_loss(model(inputs), targets).backward()
            with recorder.section("collective"):
                reduce_gradients(model)
            with recorder.section("compute"):
                optimizer.step()
            if recorder.checkpoint_requested(number):  # true on every rank at the same step
                with recorder.section("checkpoint"):
                    if dist.get_rank() == 0:
                        torch.save(model.state_dict(), "checkpoint.pt")
                    dist.barrier()
                    recorder.checkpoint_written(number)
    recorder.close()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
