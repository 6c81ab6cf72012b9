"""`python -m failoverd.agent`, and what the zipapp's entry calls."""

from failoverd.agent.main import main

main()
