"""The local cloud: what a SAM template says, running on this machine.

`local_cloud.LocalCloud` puts the parts together; every other module is one part of AWS.
"""
