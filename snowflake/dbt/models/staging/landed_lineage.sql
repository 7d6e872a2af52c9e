{{ reengage.landed('lineage', var('reengage_road')) }}
