{{ reengage.landed('lineage_manifest', var('reengage_road')) }}
