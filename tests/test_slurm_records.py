"""What Slurm prints, read strictly; texts that people and nodes choose cannot pass for anything else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediation.clusters.slurm_nodes import expand
from remediation.clusters.slurm_records import read_jobs, read_nodes, stamp_of
from remediation.views import JobState

NODE = (
    "NodeName=n1 Arch=x86_64 CoresPerSocket=1  CPUAlloc=1 AvailableFeatures=efa,rack=r1 ActiveFeatures={features} "
    "NodeAddr=10.0.0.7 NodeHostName=host7 Port=17901 Version=22.05.8 OS={system} RealMemory=500 AllocMem=0 "
    "State={state} ThreadsPerCore=1 BootTime=1795537112 ExtSensorsTemp=n/s{tail}"
)
JOB = "81723|RUNNING|2|1|1|1795561551|1795562151|n[1-2]|None"


def node(state="IDLE", tail="", system="Linux 6.1", features="(null)"):
    return read_nodes(NODE.format(state=state, tail=tail, system=system, features=features) + "\n")["n1"]


def job(**changed):
    names = ("name", "state", "restarts", "requeue", "batch", "start", "end", "nodes", "reason")
    parts = dict(zip(names, JOB.split("|"), strict=True)) | changed
    (found,) = read_jobs("|".join(parts.values()) + "\n").values()
    return found


@pytest.mark.parametrize(
    ("state", "cordoned", "ready"),
    [
        ("IDLE", False, True),
        ("MIXED+PLANNED", False, True),
        ("ALLOCATED+DRAIN", True, True),
        ("IDLE+FAIL", True, True),
        ("IDLE+NOT_RESPONDING", False, False),
        ("DOWN*", False, False),
        ("IDLE*+DRAIN", True, False),
        ("IDLE+CLOUD+POWERED_DOWN", False, False),
        ("IDLE~", False, False),
    ],
)
def test_a_nodes_state_says_whether_it_takes_work(state, cordoned, ready):
    assert (node(state).cordoned, node(state).ready) == (cordoned, ready)


@pytest.mark.parametrize(
    ("tail", "reason", "comment"),
    [
        ("", "", ""),
        (" Reason=guard: inc-1 compute [root@1795561551]", "guard: inc-1 compute", ""),
        (
            " Reason=bad fan [left] [ines@1795561551] Comment=see Comment book",
            "bad fan [left]",
            "see Comment book",
        ),
        (" Comment=guard: inc-1 compute Reason=Action:Reboot [root@1]", "Action:Reboot", "guard: inc-1 compute"),
        (" Reason=Not responding [slurm@1795561551] ", "Not responding", ""),
        (" Reason=without author Extra=x", "without author", ""),
    ],
)
def test_a_nodes_reason_and_comment_are_told_apart(tail, reason, comment):
    assert (node(tail=tail).reason, node(tail=tail).comment) == (reason, comment)


def test_the_kernels_name_of_itself_cannot_pass_for_fields():
    evil = node(
        system="Linux NodeName=n2 State=IDLE NodeAddr=10.9.9.9 Reason=guard: inc-1 RealMemory=1", state="DOWN"
    )
    assert (evil.name, evil.state, evil.identity, evil.reason) == ("n1", {"DOWN"}, "host7/10.0.0.7/", "")


def test_features_and_the_clouds_instance_are_read():
    assert node(features="efa,rack=r1").features == {"efa", "rack=r1"}
    cloud = node(tail=" InstanceId=i-0abc InstanceType=trn2.48xlarge")
    assert (cloud.instance, cloud.identity) == ("i-0abc", "host7/10.0.0.7/i-0abc")


@pytest.mark.parametrize("text", ["No nodes in the system", "NodeName=", "NodeName=n1 Arch=x", "\x00"])
def test_what_is_no_node_is_no_answer(text):
    with pytest.raises(ValueError, match="not a line"):
        read_nodes(text)


def test_a_node_listed_twice_is_no_answer():
    line = NODE.format(state="IDLE", tail="", system="x", features="")
    with pytest.raises(ValueError, match="twice"):
        read_nodes(f"{line}\n{line}\n")


def test_a_job_is_read_with_its_restarts_and_its_end():
    found = job()
    assert (found.name, found.state, found.restarts, found.end) == ("81723", JobState.RUNNING, 2, 1795562151.0)
    assert found.nodes == {"n1", "n2"}
    assert found.restarted_by is None


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ({"state": "PENDING", "nodes": "", "start": "N/A"}, JobState.WAITING),
        ({"state": "COMPLETING"}, JobState.WAITING),
        ({"state": "SUSPENDED"}, JobState.RUNNING),
        ({"state": "CANCELLED"}, JobState.ENDED),
        ({"state": "NODE_FAIL"}, JobState.ENDED),
    ],
)
def test_a_jobs_state_is_running_waiting_or_ended(changed, state):
    assert job(**changed).state is state


@pytest.mark.parametrize("changed", [{"requeue": "0"}, {"batch": "0"}])
def test_a_job_that_slurm_would_not_requeue_has_an_owner(changed):
    assert job(**changed).restarted_by


@pytest.mark.parametrize(
    "line", ["slurm_load_jobs error", "x|RUNNING|0|1|1|1|1||None", "1|RUNNING|?|1|1|1|1||None"]
)
def test_what_is_no_job_is_no_answer(line):
    with pytest.raises(ValueError, match="not a line"):
        read_jobs(line)


@pytest.mark.parametrize(
    ("reason", "incident"),
    [
        ("guard: inc-1 compute", "inc-1"),
        ("guard: inc-1", "inc-1"),
        ("guard inc-1", None),
        ("Guard: inc-1", None),
        ("safeguard: inc-1", None),
        ("guard: ", None),
        ("guard: " + "x" * 64, None),
        ("", None),
    ],
)
def test_only_a_reason_of_our_own_names_an_incident(reason, incident):
    assert stamp_of(reason) == incident


@pytest.mark.parametrize(
    "text", ["n[1-", "n[a]", "n[1]]", "n1,", ",n1", "n[1--3]", "n[0-9999999]", "n[0-999][0-999]"]
)
def test_what_is_no_list_of_nodes_is_refused(text):
    with pytest.raises(ValueError, match="nodes"):
        expand(text)


PART = st.one_of(
    st.from_regex(r"[a-z]{1,3}[0-9]?", fullmatch=True),
    st.from_regex(r"[a-z]{1,3}\[(0?[0-9]|[1-3]-[4-9]|0[1-3]-0[4-9])(,[0-9]{2})?\]", fullmatch=True),
    st.from_regex(r"r\[[1-2]-[3-4]\]n\[0[1-3]-12\]", fullmatch=True),
)


@pytest.mark.needs("slurm")
@settings(max_examples=1, deadline=None)
@given(st.lists(st.lists(PART, min_size=1, max_size=4), min_size=60, max_size=60))
def test_lists_of_nodes_are_read_as_slurm_reads_them(slurm_session, lists):
    for names in lists:
        text = ",".join(names)
        said = slurm_session.call("scontrol", "show", "hostnames", text).split()
        assert expand(text) == set(said), text
