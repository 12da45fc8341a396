"""What every bus must do for groups: members share partitions, commit, leave, die, pause."""

import contextlib
import time

from guard.bus import Topic
from tests.bus_exchange import PATIENCE, PUBLISH, SESSION, BusFixtures, read, records, settle, values


class GroupContract(BusFixtures):
    """Members of groups."""

    def test_two_groups_each_read_everything(self, bus, join):
        bus.publish(records(Topic.VERDICTS, 20), PUBLISH)
        for group in ("one", "two"):
            with contextlib.closing(join(Topic.VERDICTS, group=group)) as consumer:
                assert values(read(consumer, 20)) == list(range(20))

    def test_a_group_resumes_where_it_committed_and_repeats_what_it_did_not(self, bus, join):
        bus.publish(records(Topic.TELEMETRY, 10), PUBLISH)
        with contextlib.closing(join()) as first:
            read(first, 10)
            first.commit()
            bus.publish(records(Topic.TELEMETRY, 10, start=10), PUBLISH)
            read(first, 10)
        with contextlib.closing(join()) as second:
            assert values(read(second, 10)) == list(range(10, 20))

    def test_members_share_the_partitions_one_owner_each(self, join):
        first, second = join(), join()
        with contextlib.closing(first), contextlib.closing(second):
            settle([first], lambda: len(first.assigned()) > 1)
            everything = first.assigned()
            settle([first, second], lambda: bool(second.assigned()) and first.assigned() != everything)
            settle([first, second], lambda: first.assigned() | second.assigned() == everything)
            assert not first.assigned() & second.assigned()

    def test_who_leaves_hands_over_at_once_from_the_last_commit(self, bus, join):
        bus.publish(records(Topic.TELEMETRY, 40), PUBLISH)
        first, second = join(), join()
        with contextlib.closing(second):
            with contextlib.closing(first):
                read(first, 40)
                first.commit()
                everything = first.assigned()
                settle([first, second], lambda: bool(second.assigned()))
                bus.publish(records(Topic.TELEMETRY, 40, start=40), PUBLISH)
                got = settle([second], lambda: True)
            start = time.monotonic()
            got += settle([second], lambda: second.assigned() == everything)
            assert time.monotonic() - start < self.seconds_to_hand_over
            got += read(second, 40 - len(got))
            assert values(got) == list(range(40, 80))

    def test_the_partitions_of_a_dead_member_are_taken_over_and_nothing_is_lost(self, bus, join):
        bus.publish(records(Topic.TELEMETRY, 40), PUBLISH)
        dead, living = join(), join()
        try:
            read(dead, 40)  # never commits, never polls again
            with contextlib.closing(living):
                assert values(read(living, 40)) == list(range(40))
        finally:
            dead.close()

    def test_a_commit_for_a_partition_lost_since_is_left_out(self, bus, join):
        bus.publish(records(Topic.LEDGER, 10), PUBLISH)
        stale, owner = join(Topic.LEDGER), join(Topic.LEDGER)
        try:
            read(stale, 10)
            with contextlib.closing(owner):
                read(owner, 10)  # after the session timeout; commits nothing
                stale.commit()
        finally:
            stale.close()
        with contextlib.closing(join(Topic.LEDGER)) as third:
            assert values(read(third, 10)) == list(range(10))

    def test_who_lost_a_partition_and_got_it_back_starts_from_the_groups_commit(self, bus, join):
        bus.publish(records(Topic.LEDGER, 10), PUBLISH)
        member, other = join(Topic.LEDGER), join(Topic.LEDGER)
        with contextlib.closing(member):
            read(member, 10)
            with contextlib.closing(other):
                read(other, 10)
                bus.publish(records(Topic.LEDGER, 10, start=10), PUBLISH)
                read(other, 10)
                other.commit()
            bus.publish(records(Topic.LEDGER, 10, start=20), PUBLISH)
            assert values(read(member, 10)) == list(range(20, 30))

    def test_a_commit_up_to_an_offset_leaves_the_rest_to_be_read_again(self, bus, join):
        positions = bus.publish(records(Topic.LEDGER, 20), PUBLISH)
        with contextlib.closing(join(Topic.LEDGER)) as first:
            read(first, 20)
            first.commit({(Topic.LEDGER, 0): positions[5].offset, (Topic.TELEMETRY, 3): 10**9})
        with contextlib.closing(join(Topic.LEDGER)) as second:
            assert values(read(second, 15)) == list(range(5, 20))

    def test_a_commit_goes_no_further_than_what_was_polled(self, bus, join):
        positions = bus.publish(records(Topic.LEDGER, 20), PUBLISH)
        with contextlib.closing(join(Topic.LEDGER)) as first:
            read(first, 20)
            first.commit({(Topic.LEDGER, 0): positions[-1].offset + 1000})
            bus.publish(records(Topic.LEDGER, 5, start=20), PUBLISH)
        with contextlib.closing(join(Topic.LEDGER)) as second:
            assert values(read(second, 5)) == list(range(20, 25))

    def test_closing_commits_nothing(self, bus, join):
        bus.publish(records(Topic.LEDGER, 10), PUBLISH)
        with contextlib.closing(join(Topic.LEDGER)) as first:
            read(first, 10)
        with contextlib.closing(join(Topic.LEDGER)) as second:
            assert values(read(second, 10)) == list(range(10))

    def test_who_pauses_polls_nothing_keeps_its_partitions_and_goes_on_where_it_was(self, bus, join):
        bus.publish(records(Topic.LEDGER, 10), PUBLISH)
        with contextlib.closing(join(Topic.LEDGER)) as member, contextlib.closing(join(Topic.LEDGER)) as other:
            read(member, 10)
            held = member.claims()
            member.pause()
            bus.publish(records(Topic.LEDGER, 10, start=10), PUBLISH)
            deadline = time.monotonic() + 3 * SESSION
            while time.monotonic() < deadline:
                assert not member.poll(0.1)
                assert not other.poll(0.02)
            assert member.claims() == held
            member.resume()
            assert values(read(member, 10)) == list(range(10, 20))

    def test_who_joins_while_paused_polls_nothing(self, bus, join):
        bus.publish(records(Topic.LEDGER, 10), PUBLISH)
        with contextlib.closing(join(Topic.LEDGER)) as member:
            member.pause()
            assert settle([member], lambda: bool(member.assigned())) == []
            assert not member.poll(0.5)
            member.resume()
            assert values(read(member, 10)) == list(range(10))

    def test_a_claim_that_was_lost_and_got_back_has_another_number(self, bus, join):
        member, other = join(Topic.LEDGER), join(Topic.LEDGER)
        with contextlib.closing(member):
            settle([member], lambda: bool(member.assigned()))
            before = member.claims()
            assert before.keys() == member.assigned()
            with contextlib.closing(other):
                settle([other], lambda: bool(other.assigned()))  # after the session timeout
            settle([member], lambda: member.claims() not in ({}, before))
            assert member.claims().keys() == before.keys()

    def test_lag_is_what_is_there_and_was_not_polled(self, bus, join):
        bus.publish(records(Topic.TELEMETRY, 40), PUBLISH)
        with contextlib.closing(join()) as member:
            polled = len(member.poll(PATIENCE, limit=10))
            member.pause()
            settle([member], lambda: sum(member.lag().values()) == 40 - polled)
            assert member.lag().keys() <= member.assigned()
            member.resume()
            while polled < 40:
                polled += len(member.poll(PATIENCE, limit=10))
            assert sum(member.lag().values()) == 0
