"""What magnets and particles do: constants, relativistic kinematics, excitation curves."""
