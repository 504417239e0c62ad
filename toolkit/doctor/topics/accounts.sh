# shellcheck shell=sh
# shellcheck disable=SC2154 # one of the topic's variables
at learner; within 5 getent passwd "$learner_uid" || grep "^[^:]*:[^:]*:$learner_uid:" /etc/passwd
