TITLE='our client, every kind of suite that strongSwan has, for IKE and ESP, as Wireshark sees them'
IKE=$(ike_suites | paste -sd,) ESP=$(esp_suites | paste -sd,)
steps() { scenario_up && each_suite; }
