"""The doctor: facts are gathered from hosts, pure checks judge them, a finding says how to fix what is wrong."""
