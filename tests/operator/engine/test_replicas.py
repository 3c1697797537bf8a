"""Who decides the number of API pods, and how it changes hands."""

import pytest

from ragdeploy_operator.api.application import Api
from ragdeploy_operator.engine.replicas import ADOPTED, ASLEEP, SET_ASIDE, scale


def api(*, on, replicas=2, low=2, high=10):
    autoscaling = {"enabled": on, "minReplicas": low, "maxReplicas": high}
    return Api.model_validate({"replicas": replicas, "autoscaling": autoscaling})


def deployment(replicas, *, managers=("us",), **annotations):
    return {
        "metadata": {"annotations": annotations},
        "spec": {"replicas": replicas},
        "replicasManagers": list(managers),
    }


def decide(api, *, live=None, autoscaler=None, suspended=False):
    return scale(api, deployment=live, autoscaler=autoscaler, suspended=suspended)


# ---- autoscaling on ----
def test_a_new_deployment_starts_at_the_minimum_and_not_at_one():
    assert decide(api(on=True, replicas=2, low=3)).replicas == 3


def test_a_deployment_that_was_deleted_comes_back_at_the_size_it_had():
    autoscaler = {"status": {"desiredReplicas": 7}}
    assert decide(api(on=True), autoscaler=autoscaler).replicas == 7


def test_the_number_is_held_until_somebody_else_manages_it():
    decision = decide(api(on=True), live=deployment(4))
    assert decision.replicas == 4
    assert decision.from_live  # so that a write loses against one that scales meanwhile


@pytest.mark.parametrize(
    "managers", [["kube-controller-manager"], ["kubectl"], ["kube-controller-manager", "us"], []]
)
def test_the_number_is_left_alone_once_it_is_somebody_elses(managers):
    assert decide(api(on=True), live=deployment(7, managers=managers)).replicas is None


def test_switching_on_never_starts_below_the_minimum():
    assert decide(api(on=True, low=5), live=deployment(2)).replicas == 5


# ---- autoscaling off ----
def test_a_fixed_number_is_kept():
    decision = decide(api(on=False, replicas=3), live=deployment(9))
    assert decision.replicas == 3
    assert not decision.from_live


def test_switching_off_keeps_what_autoscaling_had_found():
    left = deployment(7, managers=["kube-controller-manager"], **{SET_ASIDE: "2"})
    decision = decide(api(on=False, replicas=2), live=left)
    assert decision.replicas == 7
    assert decision.from_live
    assert decision.annotations == {SET_ASIDE: "2", ADOPTED: "7"}


def test_an_adopted_number_is_as_fixed_as_a_written_one():
    edited = deployment(1, **{SET_ASIDE: "2", ADOPTED: "7"})
    decision = decide(api(on=False, replicas=2), live=edited)
    assert decision.replicas == 7
    assert not decision.from_live


def test_another_number_in_the_spec_ends_the_adoption():
    adopted = deployment(7, **{SET_ASIDE: "2", ADOPTED: "7"})
    decision = decide(api(on=False, replicas=3), live=adopted)
    assert decision.replicas == 3
    assert decision.annotations == {}


def test_switching_off_with_another_number_means_that_number():
    left = deployment(7, managers=["kube-controller-manager"], **{SET_ASIDE: "2"})
    assert decide(api(on=False, replicas=4), live=left).replicas == 4


def test_switching_off_may_raise_the_number():
    left = deployment(2, managers=["kube-controller-manager"], **{SET_ASIDE: "5"})
    assert decide(api(on=False, replicas=5), live=left).replicas == 5


def test_switching_on_again_starts_from_the_adopted_number():
    adopted = deployment(7, **{SET_ASIDE: "2", ADOPTED: "7"})
    decision = decide(api(on=True), live=adopted)
    assert decision.replicas == 7
    assert decision.annotations == {SET_ASIDE: "2"}


# ---- suspended ----
def test_a_suspended_part_has_no_pods_and_remembers_how_many_it_had():
    first = decide(api(on=True), live=deployment(5, managers=["kubectl"]), suspended=True)
    assert (first.replicas, first.annotations[ASLEEP], first.from_live) == (0, "5", True)
    again = decide(api(on=True), live=deployment(0, **{ASLEEP: "5"}), suspended=True)
    assert (again.replicas, again.annotations[ASLEEP]) == (0, "5")
    scaled_by_hand = decide(api(on=True), live=deployment(3, **{ASLEEP: "5"}), suspended=True)
    assert (scaled_by_hand.replicas, scaled_by_hand.annotations[ASLEEP]) == (0, "5")


def test_a_part_that_was_made_asleep_wakes_up_with_its_first_number():
    made = decide(api(on=False, replicas=4), suspended=True)
    assert made.replicas == 0
    woken = decide(api(on=False, replicas=4), live=deployment(0, **made.annotations))
    assert woken.replicas == 4


def test_a_part_wakes_up_with_the_number_from_before():
    asleep = deployment(0, **{ASLEEP: "5", SET_ASIDE: "2"})
    woken = decide(api(on=True), live=asleep)
    assert woken.replicas == 5
    assert ASLEEP not in woken.annotations
    assert decide(api(on=False), live=deployment(0, **{ASLEEP: "2"})).replicas == 2


def test_autoscaling_that_ended_during_sleep_leaves_its_number():
    woken = decide(api(on=False), live=deployment(0, **{ASLEEP: "5", SET_ASIDE: "2"}))
    assert woken.replicas == 5
    assert woken.annotations[ADOPTED] == "5"


def test_an_adopted_number_survives_sleep():
    live = deployment(5, **{SET_ASIDE: "2", ADOPTED: "5"})
    asleep = decide(api(on=False), live=live, suspended=True)
    assert decide(api(on=False), live=deployment(0, **asleep.annotations)).replicas == 5
